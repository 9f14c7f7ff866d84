/** One sample: the prompt, the policy's answer, its score, and its actions. */
import type { ComponentChildren } from "preact";
import type { PageSample } from "../../../../../src/types/page.ts";
import { exact } from "../../../components/exact.ts";
import { LongText } from "../../../components/long-text.tsx";
import { Tag } from "../../../components/parts.tsx";
import { figure } from "../../../format.ts";
import { hashOf, view } from "../../../router.ts";
import type { Scale } from "./scale.ts";
import { TokenTable } from "./token-table.tsx";
import { Tokens } from "./tokens.tsx";
import { noSearch } from "./view-state.ts";

export interface SampleCardProps {
  readonly sample: PageSample;
  readonly scale: Scale;
  readonly spaces: boolean;
  /** The pin button, and other actions of a card. */
  readonly actions?: ComponentChildren;
  /** A second answer to the same prompt, beside the response. */
  readonly beside?: ComponentChildren;
}

export function SampleCard({ sample, scale, spaces, actions, beside }: SampleCardProps) {
  const { iteration, index, cut, tokens } = sample;
  return (
    <article class="sample" aria-label={`iteration ${iteration}, sample ${index}`}>
      <Facts sample={sample} actions={actions} />
      <div class="sample-texts">
        <div class="said prompt">
          <span class="quiet label">prompt</span>
          <LongText text={sample.prompt} spaces={spaces} label="prompt" />
        </div>
        <div class={beside === undefined ? "" : "side-by-side"}>
          <div class="said response">
            <span class="quiet label">{beside === undefined ? "response" : "policy"}</span>
            {tokens.length === 0 ? (
              <LongText text={sample.response} spaces={spaces} label="response" />
            ) : (
              <Tokens sample={sample} scale={scale} spaces={spaces} />
            )}
          </div>
          {beside}
        </div>
        {cut !== null && (
          <p class="warn">
            <span aria-hidden="true">✂ </span>
            {cut.toLocaleString("en")} characters in all; the page has the beginning. The rest is in the table `samples`
            of ballast.db.
          </p>
        )}
        {tokens.length > 0 && <TokenTable sample={sample} />}
      </div>
    </article>
  );
}

function Facts({ sample, actions }: Pick<SampleCardProps, "sample" | "actions">) {
  const { iteration, index, score, components, kl, reason, stopReason, unsafe, tokens } = sample;
  const parts = Object.entries(components);
  const alone = parts.length === 1 && Number(parts[0]![1]) === Number(score);
  return (
    <div class="sample-facts">
      <div class="sample-head">
        <h3>
          <a href={hashOf(view.value.path, { ...view.value.query, ...noSearch, it: iteration })}>it {iteration}</a>{" "}
          <span class="quiet">#{index}</span>
        </h3>
        {actions}
      </div>
      <dl class="figures">
        <Fact name="score" big>
          {figure(score, 3)}
        </Fact>
        {!alone && parts.map(([name, value]) => <Fact name={exact(name)}>{figure(value, 3)}</Fact>)}
        <Fact name="KL, nats" big>
          {figure(kl, 3)}
        </Fact>
        <Fact name="tokens">{tokens.length}</Fact>
      </dl>
      <div class="sample-tags">
        {unsafe && <Tag tone="bad">▲ tripped the safety filter</Tag>}
        {stopReason === "length" && <Tag tone="warn">✂ truncated</Tag>}
        {reason === "worst" && <Tag tone="warn">▼ worst of the iteration</Tag>}
        {stopReason === "stop" && <span class="quiet">■ stop</span>}
      </div>
    </div>
  );
}

function Fact({ name, big = false, children }: { name: string; big?: boolean; children: ComponentChildren }) {
  return (
    <div>
      <dt class="quiet">{name}</dt>
      <dd class={big ? "big" : ""}>{children}</dd>
    </div>
  );
}
