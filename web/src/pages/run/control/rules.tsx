/** The rules that watch the run: their signals and actions, how often they fired, and a chart of each signal. */
import { useEffect, useRef } from "preact/hooks";
import type { PageRule } from "../../../../../src/types/page.ts";
import { Button, Card, Empty } from "../../../components/parts.tsx";
import { Scroll } from "../../../components/scroll.tsx";
import { plural, visible } from "../../../format.ts";
import { narrow } from "../../../narrow.ts";
import { setQuery, view } from "../../../router.ts";
import { RuleChart } from "./rule-chart.tsx";
import type { Steered } from "./use-control.ts";

const tiers = {
  1: { shape: "✗", says: "1 stop", tone: "bad" },
  2: { shape: "▲", says: "2 act", tone: "warn" },
  3: { shape: "△", says: "3 note", tone: "quiet" },
} as const;

export function Rules(props: Steered) {
  const { rules } = props.control;
  const { rule: opened, spoke } = view.value.query;
  const onlyThose = spoke === "1";
  const thatSpoke = rules.filter((rule) => rule.spoke > 0);
  const shown = onlyThose ? rules.filter((rule) => rule.spoke > 0 || rule.id === opened) : rules;
  const sorted = [...shown].sort((a, b) => a.tier - b.tier);
  const open = (id: string) => setQuery({ rule: id === opened ? undefined : id });
  return (
    <Card
      title="Rules"
      aside={
        <Button
          shortcut="f"
          says="only rules that fired"
          pressed={onlyThose}
          onPress={() => setQuery({ spoke: onlyThose ? undefined : 1 })}
        >
          Only those that fired ({thatSpoke.length})
        </Button>
      }
    >
      {sorted.length === 0 ? (
        <Empty>{onlyThose ? "No rule has fired." : "Rules watch PPO, and this run has no PPO iterations yet."}</Empty>
      ) : narrow.value ? (
        <ul class="rule-cards">
          {sorted.map((rule) => (
            <RuleItem key={rule.id} {...props} rule={rule} isOpen={rule.id === opened} onOpen={() => open(rule.id)} />
          ))}
        </ul>
      ) : (
        <Scroll label="table of rules">
          <table class="rules">
            <thead>
              <tr>
                <th>tier</th>
                <th>rule</th>
                <th>watches</th>
                <th>when</th>
                <th>does</th>
                <th class="number">fired</th>
                <th class="number">acted</th>
                <th class="number">last</th>
              </tr>
            </thead>
            <tbody>
              {sorted.map((rule) => (
                <RuleRow
                  key={rule.id}
                  {...props}
                  rule={rule}
                  isOpen={rule.id === opened}
                  onOpen={() => open(rule.id)}
                />
              ))}
            </tbody>
          </table>
        </Scroll>
      )}
    </Card>
  );
}

interface RuleProps extends Steered {
  readonly rule: PageRule;
  readonly isOpen: boolean;
  readonly onOpen: () => void;
}

function Tier({ tier }: Pick<PageRule, "tier">) {
  const { shape, says, tone } = tiers[tier];
  return (
    <span class={`state ${tone}`}>
      <span aria-hidden="true">{shape}</span> {says}
    </span>
  );
}

function Opener({ rule, isOpen, onOpen }: Pick<RuleProps, "rule" | "isOpen" | "onOpen">) {
  return (
    <button type="button" class="ghost opener" aria-expanded={isOpen} onClick={onOpen}>
      <span aria-hidden="true">{isOpen ? "▾" : "▸"}</span> {visible(rule.id)}
    </button>
  );
}

function RuleRow(props: RuleProps) {
  const { rule, isOpen } = props;
  const { tier, says, condition, action, spoke, acted, lastSpoke } = rule;
  const element = useShown(isOpen);
  return (
    <>
      <tr class={`${spoke > 0 ? "" : "silent"} ${isOpen ? "at" : ""}`} ref={element}>
        <td>
          <Tier tier={tier} />
        </td>
        <th scope="row">
          <Opener {...props} />
        </th>
        <td>{visible(says)}</td>
        <td>{visible(condition)}</td>
        <td>{visible(action)}</td>
        <td class="number">{spoke === 0 ? <span class="quiet">–</span> : spoke}</td>
        <td class="number">{acted === 0 ? <span class="quiet">–</span> : acted}</td>
        <td class="number">{lastSpoke === null ? <span class="quiet">–</span> : `it ${lastSpoke}`}</td>
      </tr>
      {isOpen && (
        <tr class="opened">
          <td colSpan={8}>
            <RuleChart {...props} />
          </td>
        </tr>
      )}
    </>
  );
}

function RuleItem(props: RuleProps) {
  const { rule, isOpen } = props;
  const { tier, says, condition, action, spoke, acted, lastSpoke } = rule;
  const element = useShown(isOpen);
  return (
    <li class={spoke > 0 ? "" : "silent"} ref={element}>
      <div class="rule-head">
        <Opener {...props} />
        <Tier tier={tier} />
      </div>
      <p>
        {visible(says)} {visible(condition)} <span aria-hidden="true">→</span> {visible(action)}
      </p>
      <p class="quiet">
        {spoke === 0
          ? "never fired"
          : `fired ${times(spoke)}, acted ${times(acted)}${lastSpoke === null ? "" : `, last at it ${lastSpoke}`}`}
      </p>
      {isOpen && <RuleChart {...props} />}
    </li>
  );
}

/** Scrolls to the rule that the address names, once: a link from an incident leads to it. */
function useShown<Kind extends HTMLElement>(isOpen: boolean) {
  const element = useRef<Kind & HTMLTableRowElement & HTMLLIElement>(null);
  useEffect(() => {
    const box = element.current?.getBoundingClientRect();
    if (isOpen && box !== undefined && (box.top < 0 || box.top > innerHeight * 0.8))
      element.current!.scrollIntoView({ block: "center" });
  }, [isOpen]);
  return element;
}

function times(n: number): string {
  return plural(n, "time");
}
