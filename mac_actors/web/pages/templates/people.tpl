% giving = seen and not owner
% rebase('layout.tpl', title='Give a fob' if giving else 'People', page='people', scripts=('people.js',), styles=('people.css',))
% if giving:
<h1>Give the fob to…</h1>
<p>The unknown fob at <b><bdi>{{seen.display_name}}</bdi></b>, {{!clock(seen.at)}}, ends in <code>{{seen.code[-4:]}}</code>. <a href="/people">Leave it</a></p>
<form id="give" method="post" hidden><input type="hidden" name="csrf" value="{{viewer.csrf}}"><input type="hidden" name="action" value="give"><input type="hidden" name="fob" value="{{asked}}"></form>
% else:
<h1>People</h1>
% end
% include('says.tpl', said=said)
% if owner:
<p class="say note">This fob is <a href="{{url('people', owner.account_id)}}"><bdi>{{owner.full_name}}</bdi></a>'s now.</p>
% elif asked and not seen:
<p class="say note">This fob was held to a reader more than 10 minutes ago: hold it there again.</p>
% end
% if not giving:
%   include('seen.tpl', fobs=fobs)
% end
<form id="search" class="find" role="search" aria-label="People" method="get" action="/people">
% if giving:
  <input type="hidden" name="fob" value="{{asked}}">
% end
  <input type="search" name="q" value="{{words}}" maxlength="200" aria-label="Name{{', e-mail address' if viewer.admin else ''}} or account id" placeholder="Name{{', e-mail address' if viewer.admin else ''}} or account id" autocomplete="off" spellcheck="false" autofocus>
  <noscript><button>Search</button></noscript>
</form>
<div id="found">
% include('found.tpl', admin=viewer.admin)
</div>
<details class="panel">
  <summary>Not in the list: add somebody</summary>
  <form method="post" action="/board/people">
    <input type="hidden" name="csrf" value="{{viewer.csrf}}">
% if giving:
    <input type="hidden" name="fob" value="{{asked}}">
% end
    <p class="field"><label>Full name <input name="full_name" required maxlength="200" autocomplete="off"></label></p>
    <p class="field"><label>E-mail address (optional) <input type="email" name="email" maxlength="200" autocomplete="off"></label></p>
    <p class="field"><label>Last day of the membership (optional) <input type="date" name="expiration_ymd"></label></p>
    <p><button class="main">Add{{', and give the fob' if giving else ''}}</button></p>
  </form>
</details>
