/** Builds the page into dist/web: one script, one style sheet, one document. */
import { fileURLToPath } from "node:url";
import { defineConfig, type Plugin } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** What uPlot has for calendars, bars, splines and tables: no chart of the page uses it, and nothing else would leave it out. */
const unused =
  "genTimeStuffs fmtDate tzDate timeAxisStamps timeAxisVals timeAxisVal timeSeriesVal join allHeadersSame sortCols bars splineInterp";

const withoutUnused: Plugin = {
  name: "without-unused",
  enforce: "pre",
  transform(code, id) {
    if (!/uPlot\.esm\.js$/.test(id)) return null;
    return unused.split(" ").reduce((rest, name) => {
      const whole = new RegExp(`^function ${name}\\([^]*?^}$`, "m");
      if (!whole.test(rest))
        throw new Error(`uPlot has no function ${name}: leave it out of the list in web/vite.config.ts`);
      return rest.replace(whole, `function ${name}() { return [[], [], () => []]; }`);
    }, code);
  },
};

export default defineConfig({
  plugins: [withoutUnused],
  root: here("."),
  // Relative addresses: the page works under any path.
  base: "./",
  publicDir: false,
  // Whatever NODE_ENV says where it is built.
  define: { "process.env.NODE_ENV": '"production"' },
  oxc: { jsx: { runtime: "automatic", importSource: "preact", development: false } },
  build: {
    outDir: here("../dist/web"),
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    cssCodeSplit: false,
    // Pictures in the style sheet would be data: addresses; there are none.
    assetsInlineLimit: 0,
    rollupOptions: {
      output: { entryFileNames: "app.js", assetFileNames: "app[extname]", codeSplitting: false },
    },
  },
});
