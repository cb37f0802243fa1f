% from mac_actors.core.wording import origin
% f = face
<article class="tile {{f.state}}" aria-labelledby="t-{{f.name}}" data-state="{{f.state}}" data-find="{{f.sought}}">
<h2 id="t-{{f.name}}">\\
% if kind == 'kiosk':
<bdi>{{f.title}}</bdi>\\
% else:
<a href="{{url('machines', f.name)}}" data-key="link"><bdi>{{f.title}}</bdi></a>\\
% end
</h2>
<p class="state"><svg class="shape" aria-hidden="true"><use href="#shape-{{f.state}}"/></svg><strong>{{f.word}}</strong> \\
% if f.state == 'offline':
<span class="since">{{!clock(f.since, 'last seen {}', 'last seen {} ago') if f.since else 'never seen'}}</span>\\
% else:
<span class="since">{{!clock(f.since, 'since {}', 'for {}')}}</span>\\
% end
</p>
% for word, flag in (('Oopsed', f.oops), ('Locked out', f.lock)):
%   if flag and (flag.reason or names or (f.oops and f.lock)):
<p class="why">\\
%     if f.oops and f.lock:
<b>{{word}}:</b> \\
%     end
%     if flag.reason:
<bdi>{{flag.reason}}</bdi> \\
%     end
%     if names:
<span class="by"><bdi>{{origin(flag.source, flag.by).lstrip(', ')}}</bdi></span>\\
%     end
</p>
%   end
% end
% if f.session:
<p class="who-runs">\\
%   if f.state == 'offline':
In use when last seen\\
%   elif f.state != 'in_use':
Runs by override, for repair\\
%   end
%   if names:
%     if f.state != 'in_use':
, \\
%     end
<bdi>{{f.session.full_name}}</bdi>\\
%   end
</p>
% end
% if f.always_on and f.state == 'free':
<p class="note">Always on, no card needed</p>
% end
% if not f.online and f.state != 'offline':
<p class="note">Its reader is offline\\
%   if f.seen:
, {{!clock(f.seen, 'last seen {}', 'last seen {} ago')}}\\
%   end
</p>
% end
% if kind == 'admin':
<p class="orders">
%   for key, possible in (('oops', not f.oops), ('lock', not f.lock), ('clear', f.oops or f.lock)):
%     if possible:
<button form="orders" formaction="{{url('board', 'machines', f.name)}}" name="action" value="{{key}}" data-key="{{key}}">{{orders[key]}}<span class="unseen"> {{f.title}}</span></button>
%     end
%   end
</p>
% end
</article>
