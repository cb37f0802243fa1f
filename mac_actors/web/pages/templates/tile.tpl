% from mac_actors.core.wording import SEVERITIES, origin
% page = kind.startswith('page')
% session = machine.session
<article class="tile {{content.state}}{{' now' if page else ''}}" {{!f'aria-label="{_("State now")}"' if page else f'aria-labelledby="t-{machine.name}"'}} data-state="{{content.state}}" data-find="{{content.search_text}}" data-area="{{machine.area or ''}}">
% if not page:
<h2 id="t-{{machine.name}}">\\
%   if kind == 'kiosk':
<bdi>{{machine.display_name}}</bdi>\\
%   else:
<a href="{{url('machines', machine.name)}}" data-key="link"><bdi>{{machine.display_name}}</bdi></a>\\
%   end
</h2>
% end
% flags = [(state, flag) for state, flag in (('oopsed', machine.oops), ('locked', machine.lock)) if flag]
% if not flags:
%   include('state.tpl', state=content.state, word=_(states[content.state]), since=content.since)
% end
% for state, flag in flags:
%   include('state.tpl', state=state, word=_(states[state]), since=flag.since)
%   if flag.reason:
<p class="why"><bdi{{!'' if page else f' title="{escape(flag.reason)}"'}}>{{flag.reason}}</bdi></p>
%   end
%   if signed or page:
<p class="by"><bdi>{{_(origin(flag.source, flag.by)).lstrip(', ')}}</bdi>{{!f', {clock(flag.since)}' if page else ''}}</p>
%   end
% end
% details = machine.details
% if details:
<p class="why"><b>{{_(SEVERITIES[details.severity])}}{{': ' if details.reason else ''}}</b><bdi>{{details.reason or ''}}</bdi></p>
%   if signed or page:
<p class="by"><bdi>{{_(origin(details.source, details.by)).lstrip(', ')}}</bdi>{{!f', {clock(details.since)}' if page else ''}}</p>
%   end
% end
% if session and page:
% runs = _('<bdi>{who}</bdi> runs it by override, for repair, since {time}') if session.kind == 'override' else _('<bdi>{who}</bdi> runs it since {time}')
<p>{{!rich(runs, who=session.full_name or _('A member'), time=clock(session.since))}}</p>
% elif session and (session.full_name or content.state != 'in_use'):
<p class="runs">\\
%   who = session.full_name
%   if content.state == 'offline':
{{_('In use when last seen, by ') if who else _('In use when last seen')}}<bdi>{{who}}</bdi>\\
%   elif content.state == 'in_use':
<bdi>{{who}}</bdi>\\
%   else:
{{!rich('<bdi>{who}</bdi> runs it by override, for repair', who=who or _('Someone'))}}\\
%   end
</p>
% end
% if machine.maintenance_due:
<p class="why"><b>{{_('Maintenance due: ')}}</b><bdi>{{', '.join(machine.maintenance_due)}}</bdi></p>
% end
% if machine.lock_pending:
<p class="note">{{_('To be locked out once it is free')}}\\
%   if machine.lock_pending.reason:
: <bdi title="{{machine.lock_pending.reason}}">{{machine.lock_pending.reason}}</bdi>\\
%   end
</p>
%   if page:
<p class="by"><bdi>{{_(origin(machine.lock_pending.source, machine.lock_pending.by)).lstrip(', ')}}</bdi>, {{!clock(machine.lock_pending.since)}}</p>
%   end
% end
% if machine.relay and content.state == 'free':
<p class="note">{{_('Always on') if kind == 'kiosk' else _('Always on, no card needed')}}</p>
% end
% if machine.refused:
<p class="why"><b>{{!_("Can't be stopped from here: its reader's reports are refused")}}</b>\\
%   if page:
: <bdi>{{machine.refused}}</bdi>\\
%   end
</p>
% end
% if not machine.online and content.state != 'offline':
<p class="note">{{_('Its reader is offline')}}\\
%   if machine.last_checkin:
, {{!clock(machine.last_checkin, _('last seen {}'), _('last seen {} ago'))}}\\
%   end
</p>
% end
% if kind.endswith('admin'):
<p class="commands">
%   for key, possible in (('oops', not machine.oops), ('lock', not machine.lock), ('clear', machine.clearable)):
%     if possible:
<button form="commands" formaction="{{url('board', 'machines', machine.name)}}" name="action" value="{{key}}" data-key="{{key}}">{{_(buttons[key].label)}}<span class="unseen"> {{machine.display_name}}</span></button>
%     end
%   end
</p>
% end
</article>
