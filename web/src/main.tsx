/** Starts the page: removes the token from the address and draws the view that the address names. */
import { render } from "preact";
import { runOfFile, takeToken } from "./api.ts";
import { App } from "./app.tsx";
import { go, view } from "./router.ts";
import "./style/theme.css";
import "./style/layout.css";
import "./style/parts.css";
import "./style/behaviour.css";
import "./style/compare.css";
import "./style/control.css";
import "./style/lab.css";
import "./style/new-run.css";
import "./style/overview.css";
import "./style/playground.css";
import "./style/runs.css";
import "./style/samples.css";

takeToken();
const only = runOfFile();
if (only !== null && view.peek().path.length === 0) go(["runs", only]);
render(<App />, document.getElementById("app")!);
