<svg class="shapes" aria-hidden="true" width="0" height="0">
  <symbol id="shape-free" viewBox="0 0 24 24"><circle cx="12" cy="12" r="9.5" fill="none" stroke="currentColor" stroke-width="3"/></symbol>
  <symbol id="shape-in_use" viewBox="0 0 24 24"><circle cx="12" cy="12" r="11" fill="currentColor"/><path d="M9.2 6.8v10.4l8.4-5.2z" class="cut"/></symbol>
  <symbol id="shape-oopsed" viewBox="0 0 24 24"><path d="M7.4 1h9.2L23 7.4v9.2L16.6 23H7.4L1 16.6V7.4z" fill="currentColor"/><path d="M10.6 5.5h2.8l-.5 8.5h-1.8zM10.5 15.8h3v2.9h-3z" class="cut"/></symbol>
  <symbol id="shape-locked" viewBox="0 0 24 24"><path d="M3 10.5h18V23H3z" fill="currentColor"/><path d="M7.2 11V7.3a4.8 4.8 0 0 1 9.6 0V11" fill="none" stroke="currentColor" stroke-width="2.8"/><path d="M10.7 14h2.6v5.5h-2.6z" class="cut"/></symbol>
  <symbol id="shape-offline" viewBox="0 0 24 24"><path d="M12 1.8 22.2 12 12 22.2 1.8 12z" fill="none" stroke="currentColor" stroke-width="2.4" stroke-linejoin="round"/><path d="M9.4 10.2c0-3.6 5.2-3.5 5.2-.5 0 2-2.6 2-2.6 4" fill="none" stroke="currentColor" stroke-width="2"/><circle cx="12" cy="16.2" r="1.3" fill="currentColor"/></symbol>
  <symbol id="shape-brand" viewBox="0 0 24 24"><rect x="2" y="2" width="9" height="9" rx="2" fill="currentColor"/><rect x="13" y="2" width="9" height="9" rx="4.5" fill="currentColor"/><rect x="2" y="13" width="9" height="9" rx="4.5" fill="currentColor"/><rect x="13" y="13" width="9" height="9" rx="2" fill="currentColor"/></symbol>
  <symbol id="theme-system" viewBox="0 0 24 24"><circle cx="12" cy="12" r="9" fill="none" stroke="currentColor" stroke-width="2"/><path d="M12 3a9 9 0 0 1 0 18z" fill="currentColor"/></symbol>
  <symbol id="theme-light" viewBox="0 0 24 24"><circle cx="12" cy="12" r="4.5" fill="currentColor"/><path d="M12 1.5v3M12 19.5v3M1.5 12h3M19.5 12h3M4.6 4.6l2.1 2.1M17.3 17.3l2.1 2.1M4.6 19.4l2.1-2.1M17.3 6.7l2.1-2.1" stroke="currentColor" stroke-width="2"/></symbol>
  <symbol id="theme-dark" viewBox="0 0 24 24"><path d="M20 14.5A8.5 8.5 0 1 1 9.5 4a7 7 0 0 0 10.5 10.5z" fill="currentColor"/></symbol>
</svg>
