% rebase('layout.tpl', title='API', page='docs', styles=('history.css', 'swagger-ui.css', 'docs.css'), scripts=('swagger-ui-bundle.js', 'docs.js'))
<h1>The API</h1>
<p>For programs: everything that the pages show and do, as JSON over HTTP. <a href="/openapi.json">The description as a file</a></p>
<div id="api">
<div class="panel scroll" tabindex="0" role="region" aria-label="Calls">
<table>
  <thead><tr><th scope="col">Call</th><th scope="col">What it does</th></tr></thead>
  <tbody>
% for path, calls in paths.items():
%   for method, call in calls.items():
    <tr><td><code>{{method.upper()}} {{path}}</code></td><td>{{call['summary']}}</td></tr>
%   end
% end
  </tbody>
</table>
</div>
</div>
