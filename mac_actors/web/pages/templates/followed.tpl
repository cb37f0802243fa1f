% rebase('layout.tpl', title=_('Login'), page='login')
<section class="panel narrow">
  <h1>{{_('Login')}}</h1>
% if who is None:
  <p>{{_('This link logs somebody in on the board, once.')}}</p>
% else:
  <p>{{_('You are logged in as {who}.', who=who)}} <a href="/">{{_('Go on to the board')}}</a></p>
% end
</section>
