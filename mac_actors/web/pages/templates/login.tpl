% rebase('layout.tpl', title='Admin login', page='login')
<section class="panel narrow">
  <h1>Admin login</h1>
% if viewer.login == 'local':
  <p>You need no login: as long as <code>MAC_ADMIN_TOKEN</code> is not set on the server, whoever sits at this computer may
  oops, lock and clear. <a href="{{after}}">Back to the board</a></p>
% elif viewer.login == 'off':
  <p>Nobody can log in from here: <code>MAC_ADMIN_TOKEN</code> is not set on the server, so only a browser on the server's
  own computer (<code>http://localhost</code>) may oops, lock and clear.</p>
  <p>Set <code>MAC_ADMIN_TOKEN</code>, restart the server, then log in here with it.</p>
% else:
  <p>Admins can oops, lock and clear machines from the board, and see members' names.</p>
%   if error:
  <p class="say bad" role="alert" id="error">{{error[:1].upper() + error[1:]}}.</p>
%   end
  <form method="post" action="/login">
    <input type="hidden" name="next" value="{{after}}">
    <p class="field"><label>Admin token, or a personal one <input type="password" name="token" required autofocus autocomplete="current-password"{{!' aria-invalid="true" aria-describedby="error"' if error else ''}}></label></p>
    <p class="field"><label>Your name, for the journal (optional) <input name="by" value="{{by}}" maxlength="200" autocomplete="name"></label></p>
    <p><button class="main">Log in</button></p>
  </form>
  <p class="muted">The login ends after {{days}} days without use.</p>
% end
</section>
