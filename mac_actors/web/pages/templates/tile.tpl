% from mac_actors.core.wording import origin
% f = content
<article class="tile {{f.state}}" aria-labelledby="t-{{f.name}}" data-state="{{f.state}}" data-find="{{f.search_text}}">
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
%   both = f.oops and f.lock
%   if flag and (flag.reason or both):
<p class="why">\\
%     if both:
<b>{{word}}\\
%       if flag.reason:
: \\
%       end
</b>\\
%     end
<bdi title="{{flag.reason or ''}}">{{flag.reason or ''}}</bdi></p>
%   end
%   if flag and f.signed:
<p class="by"><bdi>{{origin(flag.source, flag.by).lstrip(', ')}}</bdi></p>
%   end
% end
% if f.session and (f.session.full_name or f.state != 'in_use'):
<p class="runs">\\
%   who = f.session.full_name
%   if f.state == 'offline':
In use when last seen{{', by ' if who else ''}}<bdi>{{who}}</bdi>\\
%   elif f.state == 'in_use':
<bdi>{{who}}</bdi>\\
%   else:
<bdi>{{who or 'Someone'}}</bdi> runs it by override, for repair\\
%   end
</p>
% end
% if f.always_on and f.state == 'free':
<p class="note">Always on{{'' if kind == 'kiosk' else ', no card needed'}}</p>
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
<button form="orders" formaction="{{url('board', 'machines', f.name)}}" name="action" value="{{key}}" data-key="{{key}}">{{buttons[key].label}}<span class="unseen"> {{f.title}}</span></button>
%     end
%   end
</p>
% end
</article>
