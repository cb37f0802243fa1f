% from mac_actors.core.text import duration
% view = person.view
% rebase('layout.tpl', title=view.full_name, page='people', scripts=('people.js',), styles=('people.css',))
% action = url('board', 'people', view.account_id)
<h1><bdi>{{view.full_name}}</bdi></h1>
<p class="muted">{{view.account_id}}\\
% if view.email:
 · <bdi>{{view.email}}</bdi>\\
% end
{{' · ' + _('member until {day}', day=view.expires) if view.expires else ''}}{{' · ' + _('added here, not in the file') if view.added else ''}}</p>
% include('says.tpl', said=said)
% if person.over:
<p class="say bad">{{_('The membership is over: no machine starts for them.')}}</p>
% end
% for conflict in person.conflicts:
% conflict = _(conflict)
<p class="say bad"><bdi>{{conflict[:1].upper() + conflict[1:]}}.</bdi></p>
% end
% for name in person.offers:
<form method="post" action="{{action}}" class="offer"><input type="hidden" name="csrf" value="{{viewer.csrf}}"><input type="hidden" name="action" value="authorize"><input type="hidden" name="value" value="{{name}}"><button class="main">{{!rich('And authorize for <bdi>{machine}</bdi>', machine=person.at.display_name)}}{{'' if len(person.offers) == 1 else f': {name}'}}</button></form>
% end
<div class="two">
<section class="panel" aria-labelledby="fobs-title">
  <h2 id="fobs-title">{{_('Fobs')}}</h2>
  <ul class="rows">
% for row in person.fobs:
    <li><span><code>{{row.item.value}}</code>
%   include('origin.tpl', item=row.item)
</span>
%   if row.value:
%     include('act.tpl', act='take', name='value', value=row.value, text=_('Take away'), about=_('fob {number}', number=row.item.value))
%   end
</li>
% end
% if not person.fobs:
    <li class="muted">{{_('None')}}</li>
% end
  </ul>
% if person.seen or admin:
  <form method="post" action="{{action}}" class="more"><input type="hidden" name="csrf" value="{{viewer.csrf}}"><input type="hidden" name="action" value="give">
%   if person.seen:
    <label>{{_('Just seen')}} <select name="fob">
%     for ref, one in person.seen:
      <option value="{{ref}}">{{one.display_name}}, …{{one.code[-4:]}}</option>
%     end
    </select></label>
%   end
%   if admin:
    <label>{{_('or its number') if person.seen else _('Number')}} <input name="code" maxlength="64" autocomplete="off" spellcheck="false"{{'' if person.seen else ' required'}}></label>
%   end
    <button>{{_('Give')}}</button>
  </form>
% else:
  <p class="muted">{{_('Hold a fob to a reader to give it.')}}</p>
% end
</section>
<section class="panel" aria-labelledby="trainings-title">
  <h2 id="trainings-title">{{_('Authorizations')}}</h2>
  <ul class="rows">
% for row in person.authorizations:
    <li><span><b><bdi>{{row.item.value}}</bdi></b>
%   include('origin.tpl', item=row.item)
</span>
%   if row.value:
%     include('act.tpl', act='withdraw', name='value', value=row.value, text=_('Withdraw'), about=row.item.value)
%   end
</li>
% end
% if not person.authorizations:
    <li class="muted">{{_('None')}}</li>
% end
  </ul>
% if person.choices:
  <form method="post" action="{{action}}" class="more"><input type="hidden" name="csrf" value="{{viewer.csrf}}"><input type="hidden" name="action" value="authorize">
    <label>{{_('For')}} <select name="value">
%   for name, machines in person.choices:
      <option value="{{name}}">{{name}}{{f' ({machines})' if machines else ''}}</option>
%   end
    </select></label>
    <label>{{_('until (optional)')}} <input type="date" name="until" min="{{today}}"></label>
    <button>{{_('Authorize')}}</button>
  </form>
% end
</section>
</div>
% if admin:
<h2>{{_('Last sessions')}}</h2>
<ul class="rows">
%   for outcome in person.sessions:
  <li><span><bdi>{{outcome.display_name}}</bdi> <span class="muted">{{!clock(outcome.ended_session.since)}}, {{_(duration(outcome.ended_session.seconds))}}</span></span></li>
%   end
%   if not person.sessions:
  <li class="muted">{{_('None in the last {days} days', days=90)}}</li>
%   end
</ul>
% end
<h2>{{_('What was changed here')}}</h2>
<ul class="rows">
% for one in person.changes:
  <li><span><bdi>{{_(one.text)}}</bdi> <span class="muted"><bdi>{{_(one.by).removeprefix(', ')}}</bdi>, {{!clock(one.at)}}</span></span>
%   if one.undo:
%     include('act.tpl', act='undo', name='addition', value=one.undo, text=_('Undo'), about=_(one.text))
%   end
</li>
% end
% if not person.changes:
  <li class="muted">{{_('Nothing: all is as the file says')}}</li>
% end
</ul>
