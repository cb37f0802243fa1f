% giving = seen and not owner
% rebase('layout.tpl', title=_('Give a fob') if giving else _('People'), page='people', scripts=('people.js',), styles=('people.css',))
% if giving:
<h1>{{_('Give the fob to…')}}</h1>
<p>{{!rich('The unknown fob at <b><bdi>{machine}</bdi></b>, {time}, ends in <code>{end}</code>.', machine=seen.display_name, time=clock(seen.at), end=seen.code[-4:])}} <a href="/people">{{_('Leave it')}}</a></p>
<form id="give" method="post" hidden><input type="hidden" name="csrf" value="{{viewer.csrf}}"><input type="hidden" name="action" value="give"><input type="hidden" name="fob" value="{{asked}}"></form>
% else:
<h1>{{_('People')}}</h1>
% end
% include('says.tpl', said=said)
% if owner:
<p class="say note">{{!rich("This fob is <a href=\"{page}\"><bdi>{name}</bdi></a>'s now.", page=url('people', owner.account_id), name=owner.full_name)}}</p>
% elif asked and not seen:
<p class="say note">{{_('This fob was held to a reader more than 10 minutes ago: hold it there again.')}}</p>
% end
% if not giving:
%   include('seen.tpl', fobs=fobs)
% end
% label = _('Name, e-mail address or account id') if viewer.admin else _('Name or account id')
<form id="search" class="find" role="search" aria-label="{{_('People')}}" method="get" action="/people">
% if giving:
  <input type="hidden" name="fob" value="{{asked}}">
% end
  <input type="search" name="q" value="{{words}}" maxlength="200" aria-label="{{label}}" placeholder="{{label}}" autocomplete="off" spellcheck="false" autofocus>
  <noscript><button>{{_('Search')}}</button></noscript>
</form>
<div id="found">
% include('found.tpl', admin=viewer.admin)
</div>
<details class="panel">
  <summary>{{_('Not in the list: add somebody')}}</summary>
  <form method="post" action="/board/people">
    <input type="hidden" name="csrf" value="{{viewer.csrf}}">
% if giving:
    <input type="hidden" name="fob" value="{{asked}}">
% end
    <p class="field"><label>{{_('Full name')}} <input name="full_name" required maxlength="200" autocomplete="off"></label></p>
    <p class="field"><label>{{_('E-mail address (optional)')}} <input type="email" name="email" maxlength="200" autocomplete="off"></label></p>
    <p class="field"><label>{{_('Last day of the membership (optional)')}} <input type="date" name="expiration_ymd"></label></p>
    <p><button class="main">{{_('Add, and give the fob') if giving else _('Add')}}</button></p>
  </form>
</details>
