% rebase('layout.tpl', title=_('Admin login'), page='login')
<section class="panel narrow">
  <h1>{{_('Admin login')}}</h1>
% if viewer.login == 'local':
  <p>{{!_('You need no login: as long as <code>MAC_ADMIN_TOKEN</code> is not set on the server, whoever sits at this computer may\n  oops, lock and clear.')}} <a href="{{after}}">{{_('Back to the board')}}</a></p>
% elif viewer.login == 'off':
  <p>{{!_("Nobody can log in from here: <code>MAC_ADMIN_TOKEN</code> is not set on the server, so only a browser on the server's\n  own computer (<code>http://localhost</code>) may oops, lock and clear.")}}</p>
  <p>{{!_('Set <code>MAC_ADMIN_TOKEN</code>, restart the server, then log in here with it.')}}</p>
% else:
  <p>{{!_("Admins can oops, lock and clear machines from the board, and see members' names.")}}</p>
%   if error:
%     error = _(error)
  <p class="say bad" role="alert" id="error">{{error[:1].upper() + error[1:]}}.</p>
%   end
  <form method="post" action="/login">
    <input type="hidden" name="next" value="{{after}}">
    <p class="field"><label>{{_('Admin token, or a personal one')}} <input type="password" name="token" required autofocus autocomplete="current-password"{{!' aria-invalid="true" aria-describedby="error"' if error else ''}}></label></p>
    <p class="field"><label>{{_('Your name, for the journal (optional)')}} <input name="by" value="{{by}}" maxlength="200" autocomplete="name"></label></p>
    <p><button class="main">{{_('Log in')}}</button></p>
  </form>
  <p class="muted">{{_('The login ends after {days} days without use.', days=days)}}</p>
% end
</section>
