% from mac_actors.core.wording import origin
% rebase('layout.tpl', title=machine.display_name, page='machine', styles=('history.css',), scripts=('chart.umd.min.js', 'charts.js'))
% t = machine.telemetry
<h1><bdi>{{machine.display_name}}</bdi></h1>
% if machine.alias and machine.alias != machine.name:
<p class="muted called">Called <code>{{machine.name}}</code> by its reader</p>
% end
<div class="two">
<section class="tile {{content.state}} now" aria-label="State now">
% include('state.tpl', content=content)
% for word, flag in (('Oopsed', machine.oops), ('Locked out', machine.lock), ('To be locked out once it is free', machine.lock_pending)):
%   if flag:
  <p class="long"><b>{{word}}</b>\\
%     if flag.reason:
: <bdi>{{flag.reason}}</bdi>\\
%     end
<br><span class="by">{{!clock(flag.since)}}<bdi>{{origin(flag.source, flag.by)}}</bdi></span></p>
%   end
% end
% if machine.details:
  <p class="long"><b>{{machine.details.severity.capitalize()}}</b>\\
%   if machine.details.reason:
: <bdi>{{machine.details.reason}}</bdi>\\
%   end
<br><span class="by">{{!clock(machine.details.since)}}<bdi>{{origin(machine.details.source, machine.details.by)}}</bdi></span></p>
% end
% if machine.session:
%   who = machine.session.full_name or 'A member'
  <p><bdi>{{who}}</bdi> {{'runs it by override, for repair,' if machine.session.kind == 'override' else 'runs it'}} since {{!clock(machine.session.since)}}</p>
% end
% if machine.refused:
  <p class="long"><b>It can't be stopped from here.</b> Its reader's reports are refused: <bdi>{{machine.refused}}</bdi></p>
% end
% if always_on:
  <p class="note">Always on: no card is needed, so its use is not known.</p>
% end
</section>
<section class="panel" aria-labelledby="reader">
  <h2 id="reader">Its reader</h2>
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
    <div><dt>Current</dt><dd>{{f'{t.amps:.1f} A'}}</dd></div>
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
% told = reader_text(t.firmware, t.poke, machine.obeyed_after) if viewer.admin else None
% if told:
    <div><dt>Firmware</dt><dd><bdi>{{told}}</bdi></dd></div>
% end
  </dl>
</section>
</div>

<h2 id="free">When is it free?</h2>
% if past.first is None:
<p>Nothing has happened at this machine yet. Its use is shown here as soon as somebody puts in a card.</p>
% else:
<p>How much of the time it was in use in the last {{days}} days, in percent\\
%   if busiest:
. Most of all on {{busiest[0]}}s from {{busiest[1]}} to {{busiest[1] + 1}}: {{busiest[2]}} %\\
%   end
. Hours that are not here are hardly ever in use.</p>
<div class="panel scroll" tabindex="0" role="region" aria-labelledby="free">
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
<h2>The last {{days}} days</h2>
%   length = past.seconds('length')
<dl class="sums">
  <div><dt>In use</dt><dd>{{f"{past.seconds('used') / 3600:.1f} h"}}</dd></div>
  <div><dt>Sessions</dt><dd>{{past.sessions}}</dd></div>
  <div><dt>Oopsed</dt><dd>{{share(past.seconds('oopsed'), length)}}</dd></div>
  <div><dt>Locked out</dt><dd>{{share(past.seconds('locked'), length)}}</dd></div>
  <div><dt>Either</dt><dd>{{share(past.seconds('unavailable'), length)}}</dd></div>
</dl>
<figure class="panel chart" data-series="2" data-colours="in_use" data-unit="h" data-table="days">
  <figcaption>Hours in use, day by day</figcaption>
</figure>
<figure class="panel chart" data-series="4,5" data-colours="oopsed,locked" data-unit="%" data-max="100" data-table="days">
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

<h2 id="wifi">Wi-Fi of its reader</h2>
% if signals:
<figure class="panel chart line" data-series="1,2" data-colours="in_use,locked" data-unit="dBm" data-table="signals">
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

<h2 id="events">What happened</h2>
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
