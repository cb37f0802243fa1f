% titles = {401: 'Not logged in', 403: 'Not allowed', 404: 'Not here', 405: 'Not possible', 429: 'Too often', 503: 'Not now'}
% title = titles.get(status, 'This did not work')
% rebase('layout.tpl', title=title, page='error')
<section class="panel narrow">
  <h1>{{title}}</h1>
  <p>{{message[:1].upper() + message[1:].rstrip('.')}}.</p>
% if nearest:
  <p>Did you mean one of these?</p>
  <ul>
%   for name, title in nearest:
    <li><a href="{{url('machines', name)}}"><bdi>{{title}}</bdi></a></li>
%   end
  </ul>
% end
  <p>
% if status == 401:
    <a class="button" href="/login">Log in</a>
% end
    <a class="button" href="/">To the board</a> <span class="muted">Error {{status}}</span></p>
</section>
