% rebase('layout.tpl', title=_('Shop'), page='shop', styles=('history.css',), scripts=('chart.umd.min.js', 'charts.js'))
<h1>{{_('The shop')}}</h1>
<form class="find" method="get" action="/shop">
  <label>{{_('From')}} <input type="date" name="from" value="{{first}}" max="{{today}}"></label>
  <label>{{_('to')}} <input type="date" name="to" value="{{last}}"></label>
  <button>{{_('Show')}}</button>
  <span class="links">\\
% for one in presets:
<a href="/shop?from={{one.first}}&amp;to={{one.last}}"{{!' aria-current="true"' if (one.first, one.last) == (first, last) else ''}}>{{_(one.name)}}</a> \\
% end
<a href="/shop">{{_('Last {days} days', days=90)}}</a></span>
</form>
<p>{{n_('{first} to {last}, {number} day, all machines:', '{first} to {last}, {number} days, all machines:', days, first=date(first, 'yMMMd'), last=date(last, 'yMMMd'))}}</p>
<dl class="sums">
  <div><dt>{{_('In use')}}</dt><dd>{{num(total.seconds / 3600, ',.0f')}} h</dd></div>
  <div><dt>{{_('Sessions')}}</dt><dd>{{num(total.sessions, ',')}}</dd></div>
  <div><dt>{{_('Fobs refused')}}</dt><dd>{{num(total.refusals, ',')}}</dd></div>
</dl>

<h2 id="machines">{{_('By machine')}}</h2>
<figure hidden class="panel chart lying" data-series="2" data-colours="in_use" data-unit="h" data-rows="15" data-table="by-machine">
  <figcaption>{{_('Hours in use, the 15 most used machines') if len(rows) > 15 else _('Hours in use')}}</figcaption>
</figure>
<div class="panel scroll" tabindex="0" role="region" aria-labelledby="machines">
<p class="muted">{{_('Not usable: the part of the time in which it was oopsed or locked out.')}}</p>
<table id="by-machine">
  <thead><tr><th scope="col">{{_('Machine')}}</th><th scope="col">{{_('Sessions')}}</th><th scope="col">{{_('Hours')}}</th><th scope="col">{{_('Refused')}}</th><th scope="col">{{_('Not usable')}}</th></tr></thead>
  <tbody>
% for name, title, use, unavailable in rows:
    <tr><th scope="row">\\
%   if title:
<a href="{{url('machines', name)}}"><bdi>{{title}}</bdi></a>\\
%   else:
<bdi>{{name}}</bdi> <span class="muted">{{_('(no longer here)')}}</span>\\
%   end
</th><td>{{use.sessions}}</td><td>{{num(use.seconds / 3600, '.1f')}}</td><td>{{use.refusals}}</td><td>{{_(unavailable)}}</td></tr>
% end
  </tbody>
</table>
</div>

% if members is not None:
<h2 id="members">{{_('By member')}}</h2>
<div class="panel scroll" tabindex="0" role="region" aria-labelledby="members">
<table id="by-member">
  <thead><tr><th scope="col">{{_('Member')}}</th><th scope="col">{{_('Sessions')}}</th><th scope="col">{{_('Hours')}}</th><th scope="col">{{_('Refused')}}</th></tr></thead>
  <tbody>
%   for one in members:
    <tr><th scope="row"><bdi>{{one.name}}</bdi></th><td>{{one.sessions}}</td><td>{{num(one.seconds / 3600, '.1f')}}</td><td>{{one.refusals}}</td></tr>
%   end
  </tbody>
</table>
</div>
% end
<h2 id="download">{{_('Download CSV')}}</h2>
<ul class="plain">
% parts = [('machines', _('By machine'))] + ([('members', _('By member')), ('months', _('By member, machine and month'))] if members is not None else [])
% for part, text in parts:
  <li>{{text}}: <a href="/shop/usage.csv?part={{part}}&amp;from={{first}}&amp;to={{last}}" download>CSV<span class="unseen">, {{text}}</span></a>, <a href="/shop/usage.csv?part={{part}}&amp;from={{first}}&amp;to={{last}}&amp;excel=1" download>{{_('for a German or French Excel')}}<span class="unseen">, {{text}}</span></a></li>
% end
</ul>

<h2 id="weeks">{{_('By week')}}</h2>
<figure hidden class="panel chart" data-series="2" data-colours="in_use" data-unit="h" data-table="by-week">
  <figcaption>{{_('Hours in use in each of the last {weeks} weeks; the last one is not over', weeks=number_of_weeks)}}</figcaption>
</figure>
<details class="panel">
  <summary>{{_('As a table')}}</summary>
  <div class="scroll" tabindex="0" role="region" aria-labelledby="weeks">
  <table id="by-week">
    <thead><tr><th scope="col">{{_('Week from')}}</th><th scope="col">{{_('Sessions')}}</th><th scope="col">{{_('Hours')}}</th><th scope="col">{{_('Refused')}}</th></tr></thead>
    <tbody>
% for week in weeks:
      <tr><th scope="row" data-short="{{date(week.monday, 'MMMd')}}">{{date(week.monday, 'yMMMd')}}</th><td>{{week.usage.sessions}}</td><td>{{num(week.usage.seconds / 3600, '.1f')}}</td><td>{{week.usage.refusals}}</td></tr>
% end
    </tbody>
  </table>
  </div>
</details>
