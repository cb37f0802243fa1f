// No validator badge: it would ask a server on the internet.
(() => {
  const root = document.documentElement, dark = matchMedia('(prefers-color-scheme: dark)');
  const show = () => {
    const {theme} = root.dataset;
    root.classList.toggle('dark-mode', theme ? theme === 'dark' : dark.matches);
  };
  show();
  dark.addEventListener('change', show);
  new MutationObserver(show).observe(root, {attributes: true, attributeFilter: ['data-theme']});
  SwaggerUIBundle({url: '/openapi.json', dom_id: '#api', validatorUrl: null, deepLinking: true});
})();
