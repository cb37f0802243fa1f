% from mac_actors.core.wording import origin
<article class="tile {{content.state}}" aria-labelledby="t-{{machine.name}}" data-state="{{content.state}}" data-find="{{content.search_text}}">
<h2 id="t-{{machine.name}}">\\
% if kind == 'kiosk':
<bdi>{{machine.display_name}}</bdi>\\
% else:
<a href="{{url('machines', machine.name)}}" data-key="link"><bdi>{{machine.display_name}}</bdi></a>\\
% end
</h2>
% include('state.tpl', content=content)
% for word, flag in (('Oopsed', machine.oops), ('Locked out', machine.lock)):
%   both = machine.oops and machine.lock
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
%   if flag and signed:
<p class="by"><bdi>{{origin(flag.source, flag.by).lstrip(', ')}}</bdi></p>
%   end
% end
% if machine.details:
<p class="why"><b>{{machine.details.severity.capitalize()}}\\
%   if machine.details.reason:
: \\
%   end
</b><bdi title="{{machine.details.reason or ''}}">{{machine.details.reason or ''}}</bdi></p>
%   if signed:
<p class="by"><bdi>{{origin(machine.details.source, machine.details.by).lstrip(', ')}}</bdi></p>
%   end
% end
% if machine.session and (machine.session.full_name or content.state != 'in_use'):
<p class="runs">\\
%   who = machine.session.full_name
%   if content.state == 'offline':
In use when last seen{{', by ' if who else ''}}<bdi>{{who}}</bdi>\\
%   elif content.state == 'in_use':
<bdi>{{who}}</bdi>\\
%   else:
<bdi>{{who or 'Someone'}}</bdi> runs it by override, for repair\\
%   end
</p>
% end
% if machine.lock_pending:
<p class="note">To be locked out once it is free\\
%   if machine.lock_pending.reason:
: <bdi title="{{machine.lock_pending.reason}}">{{machine.lock_pending.reason}}</bdi>\\
%   end
</p>
% end
% if machine.relay and content.state == 'free':
<p class="note">Always on{{'' if kind == 'kiosk' else ', no card needed'}}</p>
% end
% if machine.refused:
<p class="why"><b>Can't be stopped from here: its reader's reports are refused</b></p>
% end
% if not machine.online and content.state != 'offline':
<p class="note">Its reader is offline\\
%   if machine.last_checkin:
, {{!clock(machine.last_checkin, 'last seen {}', 'last seen {} ago')}}\\
%   end
</p>
% end
% if kind == 'admin':
<p class="commands">
%   for key, possible in (('oops', not machine.oops), ('lock', not machine.lock), ('clear', machine.clearable)):
%     if possible:
<button form="commands" formaction="{{url('board', 'machines', machine.name)}}" name="action" value="{{key}}" data-key="{{key}}">{{buttons[key].label}}<span class="unseen"> {{machine.display_name}}</span></button>
%     end
%   end
</p>
% end
</article>
