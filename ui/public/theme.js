// Runs before the first paint, so that the chosen theme never flashes. A file, not inline, so that a strict CSP can stand.
(function () {
  var choice = null;
  try {
    choice = localStorage.getItem('myelin.theme');
  } catch (e) {
    // Storage may be blocked; then the system's theme is used.
  }
  var dark = choice === 'dark' || (choice !== 'light' && matchMedia('(prefers-color-scheme: dark)').matches);
  document.documentElement.dataset.theme = dark ? 'dark' : 'light';
})();
