% rebase('layout.tpl', title='Shop', page='shop', styles=('history.css',), scripts=('chart.umd.min.js', 'charts.js'))
<h1>The shop</h1>
<p>The last {{days}} days, all machines:</p>
<dl class="sums">
  <div><dt>In use</dt><dd>{{f'{total.seconds / 3600:,.0f} h'}}</dd></div>
  <div><dt>Sessions</dt><dd>{{f'{total.sessions:,}'}}</dd></div>
  <div><dt>Fobs refused</dt><dd>{{f'{total.refusals:,}'}}</dd></div>
</dl>

<h2 id="machines">By machine</h2>
<figure hidden class="panel chart lying" data-series="2" data-colours="in_use" data-unit="h" data-rows="15" data-table="by-machine">
  <figcaption>Hours in use in the last {{days}} days{{', the 15 most used machines' if len(rows) > 15 else ''}}</figcaption>
</figure>
<div class="panel scroll" tabindex="0" role="region" aria-labelledby="machines">
<p class="muted">Not usable: the part of the time in which it was oopsed or locked out.</p>
<table id="by-machine">
  <thead><tr><th scope="col">Machine</th><th scope="col">Sessions</th><th scope="col">Hours</th><th scope="col">Refused</th><th scope="col">Not usable</th></tr></thead>
  <tbody>
% for name, title, use, unavailable in rows:
    <tr><th scope="row">\\
%   if title:
<a href="{{url('machines', name)}}"><bdi>{{title}}</bdi></a>\\
%   else:
<bdi>{{name}}</bdi> <span class="muted">(no longer here)</span>\\
%   end
</th><td>{{use.sessions}}</td><td>{{f'{use.seconds / 3600:.1f}'}}</td><td>{{use.refusals}}</td><td>{{unavailable}}</td></tr>
% end
  </tbody>
</table>
</div>

<h2 id="weeks">By week</h2>
<figure hidden class="panel chart" data-series="2" data-colours="in_use" data-unit="h" data-table="by-week">
  <figcaption>Hours in use in each of the last {{number_of_weeks}} weeks; the last one is not over</figcaption>
</figure>
<details class="panel">
  <summary>As a table</summary>
  <div class="scroll" tabindex="0" role="region" aria-labelledby="weeks">
  <table id="by-week">
    <thead><tr><th scope="col">Week from</th><th scope="col">Sessions</th><th scope="col">Hours</th><th scope="col">Refused</th></tr></thead>
    <tbody>
% for week in weeks:
      <tr><th scope="row" data-short="{{week.monday.day}} {{f'{week.monday:%b}'}}">{{week.monday.day}} {{f'{week.monday:%b %Y}'}}</th><td>{{week.usage.sessions}}</td><td>{{f'{week.usage.seconds / 3600:.1f}'}}</td><td>{{week.usage.refusals}}</td></tr>
% end
    </tbody>
  </table>
  </div>
</details>
