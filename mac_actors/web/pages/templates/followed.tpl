% rebase('layout.tpl', title='Login', page='login')
<section class="panel narrow">
  <h1>Login</h1>
% if who is None:
  <p>This link logs somebody in on the board, once.</p>
% else:
  <p>You are logged in as {{who}}. <a href="/">Go on to the board</a></p>
% end
</section>
