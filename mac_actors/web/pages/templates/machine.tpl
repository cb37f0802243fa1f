% rebase('layout.tpl', title=machine.display_name, page='machine', styles=('history.css',), scripts=('chart.umd.min.js', 'charts.js', *(('commands.js',) if viewer.admin else ())))
% t = machine.telemetry
<h1><bdi>{{machine.display_name}}</bdi></h1>
% if machine.alias and machine.alias != machine.name:
<p class="muted called">Called <code>{{machine.name}}</code> by its reader{{', in ' if machine.area else ''}}<bdi>{{machine.area or ''}}</bdi></p>
% elif machine.area:
<p class="muted called">In <bdi>{{machine.area}}</bdi></p>
% end
% if machine.description:
<p class="about"><bdi>{{machine.description}}</bdi></p>
% end
% if machine.link:
<p><a href="{{machine.link}}" rel="noopener noreferrer">Its manual</a></p>
% end
% include('says.tpl', said=said)
<div class="two">
<div id="tiles" class="live" data-changes="{{url('board', 'changes')}}?machine={{url(machine.name)[1:]}}" data-cursor="{{cursor}}" data-page="{{stamp}}">
<div data-name="{{machine.name}}">{{!state_now}}</div>
</div>
<section class="panel" aria-labelledby="needs">
  <h2 id="needs">What you need</h2>
% if always_on:
  <p>Always on: no card is needed, so its use is not known.</p>
% elif needs and not needs.authorizations:
  <p>Nobody is authorized for it.</p>
% elif needs:
  <p>Your card, and {{'this authorization' if len(needs.authorizations) == 1 else 'one of these authorizations'}}:</p>
  <ul class="plain">
%   for name in needs.authorizations:
    <li><bdi>{{name}}</bdi></li>
%   end
  </ul>
%   if needs.warn_only:
  <p>Without it your card works too, and the admins are told.</p>
%   end
% end
% if second and second.authorizations_or:
  <p><bdi>{{second.alias or 'Second relay'}}</bdi>: {{'comes with it' if second.always_enabled else ' or '.join(sorted(second.authorizations_or))}}</p>
% end
% if needs and needs.trainers:
  <p>Who trains: <bdi>{{', '.join(needs.trainers[:20])}}</bdi>{{' and others' if needs.number > 20 else ''}}</p>
% elif needs and needs.number:
  <p>{{'A trainer' if needs.number == 1 else f'{needs.number} trainers'}} can give it: ask an admin who that is.</p>
% end
</section>
</div>
% if machine.maintenance:
<section class="panel" aria-labelledby="maintenance">
  <h2 id="maintenance">Maintenance</h2>
  <ul class="plain">
%   for item in machine.maintenance:
    <li>
      <bdi>{{item.what}}</bdi>: {{f'{item.hours:.1f}'}} of {{f'{item.every_hours:g}'}} h with power{{!', <strong>due</strong>' if item.due else ''}}
%     if viewer.admin:
      <form method="post" action="{{url('board', 'machines', machine.name)}}">
        <input type="hidden" name="csrf" value="{{viewer.csrf}}"><input type="hidden" name="action" value="done">
        <input type="hidden" name="reason" value="{{item.what}}"><input type="hidden" name="back" value="{{url('machines', machine.name)}}">
        <button>Done</button>
      </form>
%     end
    </li>
%   end
  </ul>
</section>
% end
<details class="panel" id="report">
  <summary>Report a problem</summary>
  <form method="post" action="{{url('board', 'report', machine.name)}}">
    <p class="muted">The admins are told. It does not stop the machine: for that press its Oops button.</p>
    <p class="field"><label>What is wrong? <textarea name="text" rows="3" required maxlength="1000"></textarea></label></p>
% if viewer.by:
    <p class="muted">From <bdi>{{viewer.by}}</bdi></p>
% else:
    <p class="field"><label>Your name (optional) <input name="by" maxlength="200" autocomplete="name"></label></p>
% end
    <p><button class="main">Tell the admins</button></p>
  </form>
</details>
<h2 id="free">When is it free?</h2>
% if past.first is None:
<p>Nothing has happened at this machine yet. Its use is shown here as soon as somebody puts in a card.</p>
% else:
<p>Today it is usually {{today}}\\
%   if busiest:
. It is in use most of all on {{busiest[0]}}s from {{busiest[1]}} to {{busiest[1] + 1}}: {{busiest[2]}} % of the time\\
%   end
.</p>
<ol class="coming" aria-label="The coming hours">
%   for number, chance in enumerate(coming):
  <li class="u{{chance.level}}"><b>{{'now' if number == 0 else f'{chance.hour:02}'}}</b> {{chance.word}}</li>
%   end
</ol>
<details class="panel" open>
<summary>The whole week</summary>
<p class="muted" id="week">How much of each hour it was in use in the last {{days}} days, in percent. Hours that are not here are hardly ever in use.</p>
<div class="scroll" tabindex="0" role="region" aria-labelledby="week">
<table class="week">
  <thead><tr><th scope="col">Hour</th>
%   for day in weekdays:
    <th scope="col"><abbr title="{{day}}">{{day[:3]}}</abbr></th>
%   end
  </tr></thead>
  <tbody>
%   for row in week:
    <tr><th scope="row">{{f'{row.hour:02}'}}<span class="unseen"> to {{row.hour + 1}}</span></th>\\
%     for percent, level in zip(row.percent, row.levels):
<td class="u{{level}}">{{percent}}</td>\\
%     end
</tr>
%   end
  </tbody>
</table>
</div>
</details>
<h2>The last {{days}} days</h2>
%   length = past.seconds('length')
<dl class="sums">
  <div><dt>In use</dt><dd>{{f"{past.seconds('used') / 3600:.1f} h"}}</dd></div>
  <div><dt>Sessions</dt><dd>{{past.sessions}}</dd></div>
  <div><dt>Oopsed</dt><dd>{{share(past.seconds('oopsed'), length)}}</dd></div>
  <div><dt>Locked out</dt><dd>{{share(past.seconds('locked'), length)}}</dd></div>
  <div><dt>Either</dt><dd>{{share(past.seconds('unavailable'), length)}}</dd></div>
</dl>
<figure hidden class="panel chart" data-series="2" data-colours="in_use" data-unit="h" data-table="days">
  <figcaption>Hours in use, day by day</figcaption>
</figure>
<figure hidden class="panel chart" data-series="4,5" data-colours="oopsed,locked" data-unit="%" data-max="100" data-table="days">
  <figcaption>Part of each day oopsed and locked out, in percent</figcaption>
</figure>
<details class="panel">
  <summary>Both as a table</summary>
  <div class="scroll" tabindex="0" role="region" aria-label="Day by day">
  <table id="days">
    <thead><tr><th scope="col">Day</th><th scope="col">Sessions</th><th scope="col">Hours in use</th><th scope="col">Not usable, %</th><th scope="col">Oopsed, %</th><th scope="col">Locked out, %</th></tr></thead>
    <tbody>
%   for day in past.days:
      <tr><th scope="row" data-short="{{day.date.day}} {{f'{day.date:%b}'}}">{{f'{day.date:%a}'}} {{day.date.day}} {{f'{day.date:%b}'}}</th><td>{{day.sessions}}</td><td>{{f'{day.used / 3600:.1f}'}}</td>\\
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

<h2 id="events">What happened</h2>
<div id="timeline" data-live>
% if events:
<ol class="timeline">
%   for event in events:
  <li class="{{event.kind}}">{{!clock(event.at)}} <span class="what"><bdi>{{event.text}}</bdi></span></li>
%   end
</ol>
<p class="turn">
%   if before:
  <a href="{{url('machines', machine.name)}}#events">Newest</a>
%   end
%   if older:
  <a href="{{url('machines', machine.name)}}?before={{older}}#events" rel="next">Older</a>
%   end
</p>
% else:
<p>Nothing{{' before that' if before else ' yet'}}.</p>
% end
</div>

<details class="panel" id="reader-facts">
<summary>For admins: its reader</summary>
<div id="facts" data-live>
  <dl class="facts">
    <div><dt>Reports</dt><dd>
% if machine.last_checkin:
{{'online' if machine.online else 'offline'}}, last {{!clock(machine.last_checkin, '{}', '{} ago')}}
% else:
none yet
% end
    </dd></div>
    <div><dt>Power</dt><dd>{{'on' if machine.relay else 'off'}}</dd></div>
% if second:
    <div><dt><bdi>{{second.alias or 'Second relay'}}</bdi></dt><dd>{{'on' if machine.second_relay else 'off'}}</dd></div>
% end
% if t.amps > 0:
    <div><dt>Current</dt><dd>{{f'{t.amps:.1f} A'}}</dd></div>
% end
% if t.wifi_signal_db is not None or t.wifi_signal_percent is not None:
    <div><dt>Wi-Fi</dt><dd>{{f'{t.wifi_signal_db:.0f} dBm' if t.wifi_signal_db is not None else ''}} {{f'({t.wifi_signal_percent:.0f} %)' if t.wifi_signal_percent is not None else ''}}</dd></div>
% end
% if t.internal_temperature_c is not None:
    <div><dt>Its temperature</dt><dd>{{f'{t.internal_temperature_c:.0f} °C'}}</dd></div>
% end
% if t.uptime is not None:
    <div><dt>Running for</dt><dd>{{duration(t.uptime)}}</dd></div>
% end
% from mac_actors.core.text import reader_text
% told = reader_text(t.firmware, t.poke, machine.obeyed_after, keyed=machine.keyed, alone=machine.offline.told(t.list_revision)) if viewer.admin else None
% if told:
    <div><dt>Firmware</dt><dd><bdi>{{told}}</bdi></dd></div>
% end
  </dl>
</div>
<h2 id="wifi">Wi-Fi of its reader</h2>
% if signals:
<figure hidden class="panel chart line" data-series="1,2" data-colours="in_use,locked" data-unit="dBm" data-table="signals">
  <figcaption>Signal in the last two days, in dBm. Closer to 0 is better; below −80 reports may get lost.</figcaption>
</figure>
<details class="panel">
  <summary>As a table</summary>
  <div class="scroll" tabindex="0" role="region" aria-label="Signal hour by hour">
  <table id="signals">
    <thead><tr><th scope="col">Hour</th><th scope="col">Usual signal, dBm</th><th scope="col">Weakest, dBm</th></tr></thead>
    <tbody>
%   for hour, usual, worst in signals:
      <tr><th scope="row" data-short="{{f'{hour:%a %H:00}'}}">{{hour.day}} {{f'{hour:%b %H:00}'}}</th><td>{{'none' if usual is None else usual}}</td><td>{{'none' if worst is None else worst}}</td></tr>
%   end
    </tbody>
  </table>
  </div>
</details>
% else:
<p>No reading yet. A sample is taken every five minutes while the reader reports; a restart of the server begins anew.</p>
% end
</details>
% if viewer.admin:
%   include('dialog.tpl', buttons=buttons, back=url('machines', machine.name))
% end
