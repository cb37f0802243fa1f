% rebase('layout.tpl', title='Shop', page='shop', styles=('history.css',), scripts=('chart.umd.min.js', 'charts.js'))
<h1>The shop</h1>
<form class="find" method="get" action="/shop">
  <label>From <input type="date" name="from" value="{{first}}" max="{{today}}"></label>
  <label>to <input type="date" name="to" value="{{last}}"></label>
  <button>Show</button>
  <span class="links">\\
% for one in presets:
<a href="/shop?from={{one.first}}&amp;to={{one.last}}"{{!' aria-current="true"' if (one.first, one.last) == (first, last) else ''}}>{{one.name}}</a> \\
% end
<a href="/shop">Last 90 days</a></span>
</form>
<p>{{f'{first.day} {first:%b %Y}'}} to {{f'{last.day} {last:%b %Y}'}}, {{days}} {{'day' if days == 1 else 'days'}}, all machines:</p>
<dl class="sums">
  <div><dt>In use</dt><dd>{{f'{total.seconds / 3600:,.0f} h'}}</dd></div>
  <div><dt>Sessions</dt><dd>{{f'{total.sessions:,}'}}</dd></div>
  <div><dt>Fobs refused</dt><dd>{{f'{total.refusals:,}'}}</dd></div>
</dl>

<h2 id="machines">By machine</h2>
<figure hidden class="panel chart lying" data-series="2" data-colours="in_use" data-unit="h" data-rows="15" data-table="by-machine">
  <figcaption>Hours in use{{', the 15 most used machines' if len(rows) > 15 else ''}}</figcaption>
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

% if members is not None:
<h2 id="members">By member</h2>
<div class="panel scroll" tabindex="0" role="region" aria-labelledby="members">
<table id="by-member">
  <thead><tr><th scope="col">Member</th><th scope="col">Sessions</th><th scope="col">Hours</th><th scope="col">Refused</th></tr></thead>
  <tbody>
%   for one in members:
    <tr><th scope="row"><bdi>{{one.name}}</bdi></th><td>{{one.sessions}}</td><td>{{f'{one.seconds / 3600:.1f}'}}</td><td>{{one.refusals}}</td></tr>
%   end
  </tbody>
</table>
</div>
% end
<h2 id="download">Download CSV</h2>
<ul class="plain">
% parts = [('machines', 'By machine')] + ([('members', 'By member'), ('months', 'By member, machine and month')] if members is not None else [])
% for part, text in parts:
  <li>{{text}}: <a href="/shop/usage.csv?part={{part}}&amp;from={{first}}&amp;to={{last}}" download>CSV<span class="unseen">, {{text}}</span></a>, <a href="/shop/usage.csv?part={{part}}&amp;from={{first}}&amp;to={{last}}&amp;excel=1" download>for a German or French Excel<span class="unseen">, {{text}}</span></a></li>
% end
</ul>

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
