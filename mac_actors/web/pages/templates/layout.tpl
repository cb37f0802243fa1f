% setdefault('page', '')
% setdefault('scripts', ())
% setdefault('styles', ())
% setdefault('kiosk', False)
% setdefault('bare', kiosk)
% setdefault('sheets', ())
<!DOCTYPE html>
<html lang="{{language.code}}" data-now="{{now.isoformat(timespec='milliseconds')}}" data-offset="{{now.utcoffset().total_seconds()}}" data-zone="{{zone()}}" data-space="{{named or ''}}"\\
% if theme:
 data-theme="{{theme}}"\\
% end
% if bare:
 class="{{'kiosk' if kiosk else page}}"\\
% end
>
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <title>{{title}}{{f' · {named}' if named else ''}}</title>
  <link rel="icon" href="{{asset('icon.svg')}}" type="image/svg+xml">
  <link rel="apple-touch-icon" href="{{asset('icon-192.png')}}">
  <link rel="manifest" href="/app.webmanifest">
  <link rel="stylesheet" href="{{asset('board.css')}}">
% for name in styles:
  <link rel="stylesheet" href="{{asset(name)}}">
% end
% if language.scripts:
  <script type="application/json" id="texts">{{!texts}}</script>
% end
  <script src="{{asset('board.js')}}" defer></script>
% for name in scripts:
  <script src="{{asset(name)}}" defer></script>
% end
% if page == 'board':
  <noscript><meta http-equiv="refresh" content="10"></noscript>
% end
</head>
<body>
% include('shapes.tpl')
% if not bare:
<a class="skip" href="#main">{{_('Skip to the content')}}</a>
<header class="bar">
  <a class="brand" href="/">\\
%   if logo:
<img class="logo" src="{{logo}}" alt="">\\
%   else:
<svg class="mark" aria-hidden="true"><use href="#shape-brand"/></svg>\\
%   end
<span class="text">{{space_name}}</span></a>
  <nav aria-label="{{_('Main')}}">
% for key, href, text in (('board', '/', _('Board')), ('shop', '/shop', _('Shop'))):
    <a href="{{href}}"{{!' aria-current="page"' if key == page else ''}}>{{text}}</a>
% end
% if viewer.caller:
    <a href="/people"{{!' aria-current="page"' if page == 'people' else ''}}>{{_('People')}}</a>
% end
  </nav>
  <div class="tools">
    <button type="button" class="quiet" id="theme" hidden><svg class="mark" aria-hidden="true"><use href="#theme-system"/></svg><span class="text">{{_('Theme: system')}}</span></button>
% if viewer.login == 'in':
    <form method="post" action="/logout">
      <input type="hidden" name="csrf" value="{{viewer.csrf}}">
      <span class="who">{{viewer.by or _('Admin')}}</span>
      <button class="quiet">{{_('Log out')}}</button>
    </form>
% elif viewer.login == 'local':
    <span class="who" title="{{_('MAC_ADMIN_TOKEN is not set, so this computer alone may oops, lock and clear')}}">{{_('Admin: this computer')}}</span>
% else:
%   after = '' if page in ('board', 'login', 'error', '') else '?next=' + url(path)[1:]
    <a class="quiet" href="/login{{after}}"{{!' aria-current="page"' if page == 'login' else ''}}>{{_('Admin login')}}</a>
% end
  </div>
</header>
% end
<main id="main" tabindex="-1">
{{!base}}
% if not bare:
<p class="foot muted">\\
%   if page in ('board', 'shop', 'machine', 'people'):
{{!rich("All times are {zone}, the shop's.", zone=zone())}} \\
%   end
\\
%   if help:
<a href="/help/">{{_('Help')}}</a> · \\
%   end
<a href="/docs"{{!' aria-current="page"' if page == 'docs' else ''}}>{{_('For developers: the API')}}</a></p>
% end
</main>
</body>
</html>
