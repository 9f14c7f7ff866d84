/** The settings that differ, and what the comparison can therefore show. */
import { Card } from "../../components/parts.tsx";
import { Scroll } from "../../components/scroll.tsx";
import { TableCopies } from "../../components/table-copies.tsx";
import { visible } from "../../format.ts";
import type { RunInk } from "../../hues.ts";
import { RunName } from "./chooser.tsx";
import { type Differences, type SettingDifference, settingText, verdict } from "./differences.ts";

export interface SettingsProps {
  readonly differences: Differences;
  readonly inks: readonly RunInk[];
}

/** The verdict above the curves: what they can show. */
export function VerdictLine({ differences, inks, runs }: SettingsProps & { readonly runs?: readonly number[] }) {
  const { says, tone } = verdict(
    differences,
    inks.map(({ letter }) => letter),
    runs,
  );
  return (
    <p class={`verdict ${tone}`} role={tone === "warn" ? "alert" : undefined}>
      {tone === "warn" && <span aria-hidden="true">▲ </span>}
      {visible(says)}
    </p>
  );
}

export function Settings({ differences: { settings, ignored }, inks }: SettingsProps) {
  const rows = settings.flatMap((one) => one.rows);
  const table = () => ({
    columns: ["setting", ...inks.map(({ id }) => id)],
    rows: [...rows, ...ignored].map(({ key, values }) => [key, ...values.map(settingText)]),
  });
  return (
    <Card title="Settings that differ" aside={rows.length > 0 && <TableCopies title="settings" table={table} />}>
      {rows.length + ignored.length === 0 ? (
        <p class="quiet">The configurations are the same.</p>
      ) : (
        <Scroll label="settings">
          <table class="settings">
            <thead>
              <tr>
                <th>setting</th>
                {inks.map((ink) => (
                  <th key={ink.id}>
                    <RunName ink={ink} />
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {rows.map((row) => (
                <Row key={row.key} row={row} />
              ))}
              {ignored.length > 0 && (
                <tr class="quiet">
                  <th colSpan={inks.length + 1} scope="rowgroup">
                    {ignored.length} more that cannot change what is learned: not counted
                  </th>
                </tr>
              )}
              {ignored.map((row) => (
                <Row key={row.key} row={row} quiet />
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </Card>
  );
}

/** A row of settings; values that differ from the first run's are bold. */
function Row({ row: { key, values }, quiet = false }: { readonly row: SettingDifference; readonly quiet?: boolean }) {
  const first = settingText(values[0]);
  return (
    <tr class={quiet ? "quiet" : ""}>
      <th scope="row">{visible(key)}</th>
      {values.map((value, i) => {
        const text = settingText(value);
        return (
          <td key={i} class={text === first || quiet ? "" : "differs"}>
            {visible(text)}
          </td>
        );
      })}
    </tr>
  );
}
