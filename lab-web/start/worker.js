// The lab in a worker: it runs the module that the page hands over, which then listens for jobs.
//
// A file of its own, because a strict Content-Security-Policy allows no worker from a Blob. Its name does not change
// with its content, so that a page finds it after an upgrade too.

addEventListener(
  "message",
  async ({ data: { script, module } }) => {
    const { default: init } = await import(script);
    await init({ module_or_path: module });
  },
  { once: true },
);
