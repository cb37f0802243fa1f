% giving = seen and not owner
% if words:
<p id="count" class="muted">\\
%   if number > len(found):
{{number}} people, the first {{len(found)}} are shown: type more\\
%   elif found:
{{number}} {{'person' if number == 1 else 'people'}}\\
%   else:
Nobody is found\\
%   end
</p>
<ul class="found">
%   for user in found:
  <li>\\
%     if giving:
<button form="give" formaction="{{url('board', 'people', user.account_id)}}">\\
%     else:
<a href="{{url('people', user.account_id)}}">\\
%     end
<b><bdi>{{user.full_name}}</bdi></b>{{' · membership over' if expired(user) else ''}}\\
%     if admin:
<span class="muted"><bdi>{{user.email}}</bdi> {{user.account_id}}</span>\\
%     else:
<span class="muted">{{user.account_id}}</span>\\
%     end
{{!'</button>' if giving else '</a>'}}</li>
%   end
</ul>
% else:
<p id="count" class="muted">Type a part of a name{{', an e-mail address' if admin else ''}} or an account id.</p>
% end
