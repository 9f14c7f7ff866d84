/** The buttons of a blind choice between two answers; while one choice is being kept, a second press does nothing. */
import { useRef } from "preact/hooks";
import { Button } from "../../components/parts.tsx";

export interface PreferButtonsProps {
  /** Whether both answers are there and none is preferred yet. */
  readonly ready: boolean;
  /** Resolves once the choice is kept, or refused. */
  readonly onPrefer: (side: 0 | 1) => Promise<void>;
}

export function PreferButtons({ ready, onPrefer }: PreferButtonsProps) {
  const isKeeping = useRef(false);
  const prefer = async (side: 0 | 1) => {
    if (isKeeping.current) return;
    isKeeping.current = true;
    try {
      await onPrefer(side);
    } finally {
      isKeeping.current = false;
    }
  };
  return (
    <>
      {([0, 1] as const).map((side) => (
        <Button
          key={side}
          shortcut={String(side + 1)}
          says={`answer ${side + 1} is better`}
          disabled={!ready}
          onPress={() => void prefer(side)}
        >
          {side + 1} is better
        </Button>
      ))}
    </>
  );
}
