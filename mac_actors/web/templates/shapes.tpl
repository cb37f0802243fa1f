<svg class="shapes" aria-hidden="true" width="0" height="0">
  <symbol id="shape-free" viewBox="0 0 24 24"><circle cx="12" cy="12" r="9.5" fill="none" stroke="currentColor" stroke-width="3"/></symbol>
  <symbol id="shape-in_use" viewBox="0 0 24 24"><circle cx="12" cy="12" r="11" fill="currentColor"/><path d="M9.2 6.8v10.4l8.4-5.2z" class="cut"/></symbol>
  <symbol id="shape-oopsed" viewBox="0 0 24 24"><path d="M7.4 1h9.2L23 7.4v9.2L16.6 23H7.4L1 16.6V7.4z" fill="currentColor"/><path d="M10.6 5.5h2.8l-.5 8.5h-1.8zM10.5 15.8h3v2.9h-3z" class="cut"/></symbol>
  <symbol id="shape-locked" viewBox="0 0 24 24"><path d="M3 10.5h18V23H3z" fill="currentColor"/><path d="M7.2 11V7.3a4.8 4.8 0 0 1 9.6 0V11" fill="none" stroke="currentColor" stroke-width="2.8"/><path d="M10.7 14h2.6v5.5h-2.6z" class="cut"/></symbol>
  <symbol id="shape-offline" viewBox="0 0 24 24"><path d="M12 1.6 22.4 12 12 22.4 1.6 12z" fill="none" stroke="currentColor" stroke-width="2.6" stroke-dasharray="4.2 3.15"/><path d="M7.5 16.5l9-9" stroke="currentColor" stroke-width="2.6" fill="none"/></symbol>
  <symbol id="shape-brand" viewBox="0 0 24 24"><rect x="2" y="2" width="9" height="9" rx="2" fill="currentColor"/><rect x="13" y="2" width="9" height="9" rx="4.5" fill="currentColor"/><rect x="2" y="13" width="9" height="9" rx="4.5" fill="currentColor"/><rect x="13" y="13" width="9" height="9" rx="2" fill="currentColor"/></symbol>
</svg>
