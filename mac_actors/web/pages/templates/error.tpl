% titles = {401: _('Not logged in'), 403: _('Not allowed'), 404: _('Not here'), 405: _('Not possible'), 429: _('Too often'), 503: _('Not now')}
% title = titles.get(status, _('This did not work'))
% rebase('layout.tpl', title=title, page='error')
<section class="panel narrow">
  <h1>{{title}}</h1>
% message = _(message)
  <p>{{message[:1].upper() + message[1:].rstrip('.')}}.</p>
% if nearest:
  <p>{{_('Did you mean one of these?')}}</p>
  <ul>
%   for name, title in nearest:
    <li><a href="{{url('machines', name)}}"><bdi>{{title}}</bdi></a></li>
%   end
  </ul>
% end
  <p>
% if status == 401:
    <a class="button" href="/login">{{_('Log in')}}</a>
% end
    <a class="button" href="/">{{_('To the board')}}</a> <span class="muted">{{_('Error {status}', status=status)}}</span></p>
</section>
