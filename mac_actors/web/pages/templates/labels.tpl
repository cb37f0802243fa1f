% rebase('layout.tpl', title='Labels', page='labels', styles=('labels.css',))
<div class="for-screen">
<h1>Labels</h1>
<p>Each has the name of a machine and a QR code that leads to its page. Print in the real size (100 %, no margins of the printer's own), on a sheet of labels or on paper to be cut.</p>
<form class="find" method="get" action="/labels">
  <label>Sheet <select name="sheet">
% for key, one in sheets.items():
    <option value="{{key}}"{{!' selected' if key == sheet else ''}}>{{one.title}}</option>
% end
  </select></label>
% if areas:
  <label>Area <select name="area">
    <option value="">All areas</option>
%   for area in areas:
    <option{{!' selected' if area == wanted.area else ''}}>{{area}}</option>
%   end
  </select></label>
% end
  <label>Address of this server <input name="base" value="{{base}}" inputmode="url"></label>
  <button>Show</button>
</form>
% if here_alone:
<p class="say note">Phones can't follow these codes: {{base}} means this computer itself. Put in the address by which phones in the shop reach this server.</p>
% end
% if not pages:
<p class="none">No machine matches.</p>
% end
</div>
% for number, labels in enumerate(pages):
<section class="sheet {{sheet}}" aria-label="Sheet {{number + 1}}">
%   for label in labels:
  <div class="label">
    {{!label.code}}
    <div class="words">
      <p class="name"><bdi>{{label.machine.display_name}}</bdi></p>
%     if label.machine.area:
      <p class="muted"><bdi>{{label.machine.area}}</bdi></p>
%     end
      <p class="muted space">\\
%     if logo:
<img class="logo" src="{{logo}}" alt=""> \\
%     end
{{named or ''}}</p>
    </div>
  </div>
%   end
</section>
% end
