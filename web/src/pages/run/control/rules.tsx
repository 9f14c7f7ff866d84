/** The rules that watch the run: those that fired first, silent ones folded; each with its signal, its action and a chart. */
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
  const { rule: opened, silent } = view.value.query;
  const byTier = [...rules].sort((a, b) => a.tier - b.tier);
  const fired = byTier.filter(({ spoke }) => spoke > 0);
  const others = byTier.filter(({ spoke }) => spoke === 0);
  // A link may lead to a silent rule.
  const isUnfolded = silent === "1" || others.some(({ id }) => id === opened);
  return (
    <Card
      title="What spoke"
      aside={
        others.length > 0 && (
          <Button
            shortcut="f"
            says="fold or unfold the rules that have not fired"
            pressed={isUnfolded}
            onPress={() => setQuery({ silent: isUnfolded ? undefined : 1, ...(isUnfolded && { rule: undefined }) })}
          >
            {plural(others.length, "silent rule")}
          </Button>
        )
      }
    >
      {rules.length === 0 ? (
        <Empty>Rules watch PPO, and this run has no PPO iterations yet.</Empty>
      ) : (
        fired.length === 0 && <p class="quiet calm">✓ No rule has fired.</p>
      )}
      {fired.length > 0 && <RuleList {...props} rules={fired} label="table of rules that fired" />}
      {isUnfolded && others.length > 0 && (
        <>
          <h3>Silent rules</h3>
          <RuleList {...props} rules={others} label="table of silent rules" />
        </>
      )}
    </Card>
  );
}

function RuleList({
  rules,
  label,
  ...props
}: Steered & { readonly rules: readonly PageRule[]; readonly label: string }) {
  const { rule: opened } = view.value.query;
  const open = (id: string) => setQuery({ rule: id === opened ? undefined : id });
  if (narrow.value)
    return (
      <ul class="rule-cards">
        {rules.map((rule) => (
          <RuleItem key={rule.id} {...props} rule={rule} isOpen={rule.id === opened} onOpen={() => open(rule.id)} />
        ))}
      </ul>
    );
  return (
    <Scroll label={label}>
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
          {rules.map((rule) => (
            <RuleRow key={rule.id} {...props} rule={rule} isOpen={rule.id === opened} onOpen={() => open(rule.id)} />
          ))}
        </tbody>
      </table>
    </Scroll>
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
