% giving = seen and not owner
% if words:
<p id="count" class="muted">\\
%   if number > len(found):
{{_('{all} people, the first {shown} are shown: type more', all=number, shown=len(found))}}\\
%   elif found:
{{n_('{number} person', '{number} people', number)}}\\
%   else:
{{_('Nobody is found')}}\\
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
<b><bdi>{{user.full_name}}</bdi></b>{{' · ' + _('membership over') if expired(user) else ''}}\\
%     if admin:
<span class="muted"><bdi>{{user.email}}</bdi> {{user.account_id}}</span>\\
%     else:
<span class="muted">{{user.account_id}}</span>\\
%     end
{{!'</button>' if giving else '</a>'}}</li>
%   end
</ul>
% else:
<p id="count" class="muted">{{_('Type a part of a name, an e-mail address or an account id.') if admin else _('Type a part of a name or an account id.')}}</p>
% end
