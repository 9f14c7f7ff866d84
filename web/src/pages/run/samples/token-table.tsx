/** The numbers of every token as a table: the policy's log-probability beside the reference's. */
import { useSignal } from "@preact/signals";
import type { PageSample } from "../../../../../src/types/page.ts";
import { beginning, exact } from "../../../components/exact.ts";
import { More } from "../../../components/long-text.tsx";
import { Scroll } from "../../../components/scroll.tsx";
import { figure } from "../../../format.ts";
import { numbersOf } from "./scale.ts";

/** Rows shown at first, and added with each click. */
const first = 200;

export function TokenTable({ sample }: { readonly sample: PageSample }) {
  const open = useSignal(false);
  return (
    <details onToggle={(event) => (open.value = event.currentTarget.open)}>
      <summary>
        token by token: log p {sum(sample.logprobs)}, of the reference {sum(sample.refLogprobs)}
      </summary>
      {open.value && <Rows sample={sample} />}
    </details>
  );
}

function Rows({ sample }: { readonly sample: PageSample }) {
  const length = useSignal(first);
  const { tokens, logprobs, refLogprobs, advantages, values } = sample;
  const kl = numbersOf(sample, "kl");
  const all = { "log p": logprobs, "log p_ref": refLogprobs, KL: kl, advantage: advantages, value: values };
  // Without a critic there are no values.
  const columns = Object.entries(all).filter(([, numbers]) => numbers.length > 0);
  const left = tokens.length - length.value;
  return (
    <>
      <Scroll label={`numbers of each token of sample ${sample.index}, iteration ${sample.iteration}`}>
        <table>
          <thead>
            <tr>
              <th scope="col" class="number">
                #
              </th>
              <th scope="col">token</th>
              {columns.map(([name]) => (
                <th key={name} scope="col" class="number">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {tokens.slice(0, length.value).map((token, i) => (
              <tr key={i}>
                <td class="number quiet">{i + 1}</td>
                <th scope="row">
                  <code>{exact(beginning(token, 200), { spaces: true })}</code>
                </th>
                {columns.map(([name, column]) => (
                  <td key={name} class="number">
                    {figure(column[i] ?? "NaN", 3)}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {left > 0 && <More label="table" left={`${left} rows`} onPress={() => (length.value += 5 * first)} />}
    </>
  );
}

function sum(numbers: PageSample["logprobs"]): string {
  return figure(
    numbers.reduce<number>((total, number) => total + Number(number), 0),
    3,
  );
}
