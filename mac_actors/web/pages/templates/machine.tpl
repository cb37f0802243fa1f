% rebase('layout.tpl', title=machine.display_name, page='machine', styles=('history.css',), scripts=('chart.umd.min.js', 'charts.js', *(('commands.js',) if viewer.admin else ())))
% t = machine.telemetry
<h1><bdi>{{machine.display_name}}</bdi></h1>
% if machine.alias and machine.alias != machine.name:
<p class="muted called">{{!rich('Called <code>{name}</code> by its reader', name=machine.name)}}{{_(', in ') if machine.area else ''}}<bdi>{{machine.area or ''}}</bdi></p>
% elif machine.area:
<p class="muted called">{{!rich('In <bdi>{area}</bdi>', area=machine.area)}}</p>
% end
% if machine.description:
<p class="about"><bdi>{{machine.description}}</bdi></p>
% end
% if machine.link:
<p><a href="{{machine.link}}" rel="noopener noreferrer">{{_('Its manual')}}</a></p>
% end
% include('says.tpl', said=said)
<div class="two">
<div id="tiles" class="live" data-changes="{{url('board', 'changes')}}?machine={{url(machine.name)[1:]}}" data-cursor="{{cursor}}" data-page="{{stamp}}">
<div data-name="{{machine.name}}">{{!state_now}}</div>
</div>
<section class="panel" aria-labelledby="needs">
  <h2 id="needs">{{_('What you need')}}</h2>
% if always_on:
  <p>{{_('Always on: no card is needed, so its use is not known.')}}</p>
% elif needs and not needs.authorizations:
  <p>{{_('Nobody is authorized for it.')}}</p>
% elif needs:
  <p>{{_('Your card, and this authorization:') if len(needs.authorizations) == 1 else _('Your card, and one of these authorizations:')}}</p>
  <ul class="plain">
%   for name in needs.authorizations:
    <li><bdi>{{name}}</bdi></li>
%   end
  </ul>
%   if needs.warn_only:
  <p>{{_('Without it your card works too, and the admins are told.')}}</p>
%   end
% end
% if second and second.authorizations_or:
  <p><bdi>{{second.alias or _('Second relay')}}</bdi>: {{_('comes with it') if second.always_enabled else _(' or ').join(sorted(second.authorizations_or))}}</p>
% end
% if needs and needs.trainers:
  <p>{{_('Who trains: ')}}<bdi>{{', '.join(needs.trainers[:20])}}</bdi>{{_(' and others') if needs.number > 20 else ''}}</p>
% elif needs and needs.number:
  <p>{{n_('A trainer can give it: ask an admin who that is.', '{number} trainers can give it: ask an admin who that is.', needs.number)}}</p>
% end
</section>
</div>
% if machine.maintenance or done:
<section class="panel" aria-labelledby="maintenance">
  <h2 id="maintenance">{{_('Maintenance')}}</h2>
  <ul class="plain">
%   for item in machine.maintenance:
    <li>
      <bdi>{{item.what}}</bdi>: {{_('{hours:.1f} of {every:g} h with power', hours=item.hours, every=item.every_hours)}}{{!_(', <strong>due</strong>') if item.due else ''}}
%     if viewer.admin:
      <form method="post" action="{{url('board', 'machines', machine.name)}}">
        <input type="hidden" name="csrf" value="{{viewer.csrf}}"><input type="hidden" name="action" value="done">
        <input type="hidden" name="reason" value="{{item.what}}"><input type="hidden" name="back" value="{{url('machines', machine.name)}}">
        <button>{{_('Done')}}</button>
      </form>
%     end
    </li>
%   end
  </ul>
%   if done:
  <details>
    <summary>{{_('What was done')}}</summary>
    <ol class="timeline">
%     for event in done:
      <li>{{!clock(event.at)}} <span class="what"><bdi>{{event.text}}</bdi></span></li>
%     end
    </ol>
  </details>
%   end
</section>
% end
<details class="panel" id="report">
  <summary>{{_('Report a problem')}}</summary>
  <form method="post" action="{{url('board', 'report', machine.name)}}">
    <p class="muted">{{_('The admins are told. It does not stop the machine: for that press its Oops button.')}}</p>
    <p class="field"><label>{{_('What is wrong?')}} <textarea name="text" rows="3" required maxlength="1000"></textarea></label></p>
% if viewer.by:
    <p class="muted">{{!rich('From <bdi>{who}</bdi>', who=viewer.by)}}</p>
% else:
    <p class="field"><label>{{_('Your name (optional)')}} <input name="by" maxlength="200" autocomplete="name"></label></p>
% end
    <p><button class="main">{{_('Tell the admins')}}</button></p>
  </form>
</details>
<h2 id="free">{{_('When is it free?')}}</h2>
% if past.first is None:
<p>{{_('Nothing has happened at this machine yet. Its use is shown here as soon as somebody puts in a card.')}}</p>
% else:
<p>{{_('Today it is usually {hours}.', hours=today)}}\\
%   if busiest:
 {{_('It is in use most of all on {day}s from {start} to {end}: {percent} % of the time.', day=language.weekday(weekdays.index(busiest[0])), start=busiest[1], end=busiest[1] + 1, percent=busiest[2])}}\\
%   end
</p>
<ol class="coming" aria-label="{{_('The coming hours')}}">
%   for number, chance in enumerate(coming):
  <li class="u{{chance.level}}"><b>{{_('now') if number == 0 else f'{chance.hour:02}'}}</b> {{_(chance.word)}}</li>
%   end
</ol>
<details class="panel" open>
<summary>{{_('The whole week')}}</summary>
<p class="muted" id="week">{{_('How much of each hour it was in use in the last {days} days, in percent. Hours that are not here are hardly ever in use.', days=days)}}</p>
<div class="scroll" tabindex="0" role="region" aria-labelledby="week">
<table class="week">
  <thead><tr><th scope="col">{{_('Hour')}}</th>
%   for day in range(7):
    <th scope="col"><abbr title="{{language.weekday(day)}}">{{language.weekday(day, short=True)}}</abbr></th>
%   end
  </tr></thead>
  <tbody>
%   for row in week:
    <tr><th scope="row">{{f'{row.hour:02}'}}<span class="unseen"> {{_('to')}} {{row.hour + 1}}</span></th>\\
%     for percent, level in zip(row.percent, row.levels):
<td class="u{{level}}">{{percent}}</td>\\
%     end
</tr>
%   end
  </tbody>
</table>
</div>
</details>
<h2>{{_('The last {days} days', days=days)}}</h2>
%   length = past.seconds('length')
<dl class="sums">
  <div><dt>{{_('In use')}}</dt><dd>{{num(past.seconds('used') / 3600, '.1f')}} h</dd></div>
  <div><dt>{{_('Sessions')}}</dt><dd>{{past.sessions}}</dd></div>
  <div><dt>{{_('Oopsed')}}</dt><dd>{{_(share(past.seconds('oopsed'), length))}}</dd></div>
  <div><dt>{{_('Locked out')}}</dt><dd>{{_(share(past.seconds('locked'), length))}}</dd></div>
  <div><dt>{{_('Either')}}</dt><dd>{{_(share(past.seconds('unavailable'), length))}}</dd></div>
</dl>
<figure hidden class="panel chart" data-series="2" data-colours="in_use" data-unit="h" data-table="days">
  <figcaption>{{_('Hours in use, day by day')}}</figcaption>
</figure>
<figure hidden class="panel chart" data-series="4,5" data-colours="oopsed,locked" data-unit="%" data-max="100" data-table="days">
  <figcaption>{{_('Part of each day oopsed and locked out, in percent')}}</figcaption>
</figure>
<details class="panel">
  <summary>{{_('Both as a table')}}</summary>
  <div class="scroll" tabindex="0" role="region" aria-label="{{_('Day by day')}}">
  <table id="days">
    <thead><tr><th scope="col">{{_('Day')}}</th><th scope="col">{{_('Sessions')}}</th><th scope="col">{{_('Hours in use')}}</th><th scope="col">{{_('Not usable, %')}}</th><th scope="col">{{_('Oopsed, %')}}</th><th scope="col">{{_('Locked out, %')}}</th></tr></thead>
    <tbody>
%   for day in past.days:
      <tr><th scope="row" data-short="{{date(day.date, 'MMMd')}}">{{date(day.date, 'MMMEd')}}</th><td>{{day.sessions}}</td><td>{{num(day.used / 3600, '.1f')}}</td>\\
%     for seconds in (day.unavailable, day.oopsed, day.locked):
<td>{{f'{100 * seconds / day.length:.0f}' if day.length else 0}}</td>\\
%     end
</tr>
%   end
    </tbody>
  </table>
  </div>
</details>
% end

<h2 id="events">{{_('What happened')}}</h2>
<div id="timeline" data-live>
% if events:
<ol class="timeline">
%   for event in events:
  <li class="{{event.kind}}">{{!clock(event.at)}} <span class="what"><bdi>{{event.text}}</bdi></span></li>
%   end
</ol>
<p class="turn">
%   if before:
  <a href="{{url('machines', machine.name)}}#events">{{_('Newest')}}</a>
%   end
%   if older:
  <a href="{{url('machines', machine.name)}}?before={{older}}#events" rel="next">{{_('Older')}}</a>
%   end
</p>
% else:
<p>{{_('Nothing before that.') if before else _('Nothing yet.')}}</p>
% end
</div>

<details class="panel" id="reader-facts">
<summary>{{_('For admins: its reader')}}</summary>
<div id="facts" data-live>
  <dl class="facts">
    <div><dt>{{_('Reports')}}</dt><dd>
% if machine.last_checkin:
{{!rich(_('online, last {time}') if machine.online else _('offline, last {time}'), time=clock(machine.last_checkin, '{}', _('{} ago')))}}
% else:
{{_('none yet')}}
% end
    </dd></div>
    <div><dt>{{_('Power')}}</dt><dd>{{_('on') if machine.relay else _('off')}}</dd></div>
% if second:
    <div><dt><bdi>{{second.alias or _('Second relay')}}</bdi></dt><dd>{{_('on') if machine.second_relay else _('off')}}</dd></div>
% end
% if t.amps > 0:
    <div><dt>{{_('Current')}}</dt><dd>{{num(t.amps, '.1f')}} A</dd></div>
% end
% if t.wifi_signal_db is not None or t.wifi_signal_percent is not None:
    <div><dt>{{_('Wi-Fi')}}</dt><dd>{{f'{t.wifi_signal_db:.0f} dBm' if t.wifi_signal_db is not None else ''}} {{f'({t.wifi_signal_percent:.0f} %)' if t.wifi_signal_percent is not None else ''}}</dd></div>
% end
% if t.internal_temperature_c is not None:
    <div><dt>{{_('Its temperature')}}</dt><dd>{{f'{t.internal_temperature_c:.0f} °C'}}</dd></div>
% end
% if t.uptime is not None:
    <div><dt>{{_('Running for')}}</dt><dd>{{_(duration(t.uptime))}}</dd></div>
% end
% from mac_actors.core.text import reader_text
% told = reader_text(t.firmware, t.poke, machine.obeyed_after, keyed=machine.keyed, alone=machine.offline.told(t.list_revision)) if viewer.admin else None
% if told:
    <div><dt>{{_('Firmware')}}</dt><dd><bdi>{{told}}</bdi></dd></div>
% end
  </dl>
</div>
<h2 id="wifi">{{_('Wi-Fi of its reader')}}</h2>
% if signals:
<figure hidden class="panel chart line" data-series="1,2" data-colours="in_use,locked" data-unit="dBm" data-table="signals">
  <figcaption>{{_('Signal in the last two days, in dBm. Closer to 0 is better; below −80 reports may get lost.')}}</figcaption>
</figure>
<details class="panel">
  <summary>{{_('As a table')}}</summary>
  <div class="scroll" tabindex="0" role="region" aria-label="{{_('Signal hour by hour')}}">
  <table id="signals">
    <thead><tr><th scope="col">{{_('Hour')}}</th><th scope="col">{{_('Usual signal, dBm')}}</th><th scope="col">{{_('Weakest, dBm')}}</th></tr></thead>
    <tbody>
%   for hour, usual, worst in signals:
      <tr><th scope="row" data-short="{{language.weekday(hour.weekday(), short=True)}} {{f'{hour:%H:00}'}}">{{date(hour, 'MMMd')}} {{f'{hour:%H:00}'}}</th><td>{{_('none') if usual is None else usual}}</td><td>{{_('none') if worst is None else worst}}</td></tr>
%   end
    </tbody>
  </table>
  </div>
</details>
% else:
<p>{{_('No reading yet. A sample is taken every five minutes while the reader reports; a restart of the server begins anew.')}}</p>
% end
</details>
% if viewer.admin:
%   include('dialog.tpl', buttons=buttons, back=url('machines', machine.name))
% end
