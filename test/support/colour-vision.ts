/** How far apart two colours are, as people with the three kinds of colour vision see them: simulated dichromacy and CIEDE2000. */

export const visions = ["normal", "protanopia", "deuteranopia"] as const;
export type Vision = (typeof visions)[number];

type Triple = readonly [number, number, number];

/** Matrices on linear RGB (Machado, Oliveira and Fernandes 2009, severity 1). */
const seen: Readonly<Record<Vision, readonly [Triple, Triple, Triple]>> = {
  normal: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
};

/** The distance by CIEDE2000 of two colours `#rrggbb`; 1 is just visible side by side, 10 is plain at a glance. */
export function apartness(a: string, b: string, vision: Vision): number {
  return ciede2000(labOf(simulated(linearOf(a), vision)), labOf(simulated(linearOf(b), vision)));
}

/** The contrast of two colours `#rrggbb` as WCAG 2 defines it, from 1 to 21. */
export function contrast(a: string, b: string): number {
  const [x, y] = [a, b].map((hex) => 0.05 + dot([0.2126, 0.7152, 0.0722], linearOf(hex))) as [number, number];
  return Math.max(x, y) / Math.min(x, y);
}

function linearOf(hex: string): Triple {
  return [1, 3, 5].map((at) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  }) as unknown as Triple;
}

function dot(a: Triple, b: Triple): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

function simulated(rgb: Triple, vision: Vision): Triple {
  return seen[vision].map((row) => Math.min(1, Math.max(0, dot(row, rgb)))) as unknown as Triple;
}

/** CIELAB under D65. */
function labOf(rgb: Triple): Triple {
  const f = (t: number) => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116);
  const x = f(dot([0.4124564, 0.3575761, 0.1804375], rgb) / 0.95047);
  const y = f(dot([0.2126729, 0.7151522, 0.072175], rgb));
  const z = f(dot([0.0193339, 0.119192, 0.9503041], rgb) / 1.08883);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

/** Sharma, Wu and Dalal 2005. */
function ciede2000([l1, a1, b1]: Triple, [l2, a2, b2]: Triple): number {
  const { PI, abs, atan2, cos, exp, hypot, sin, sqrt } = Math;
  const pull = (c: number) => sqrt(c ** 7 / (c ** 7 + 25 ** 7));
  const g = 0.5 * (1 - pull((hypot(a1, b1) + hypot(a2, b2)) / 2));
  const [p1, p2] = [(1 + g) * a1, (1 + g) * a2];
  const [c1, c2] = [hypot(p1, b1), hypot(p2, b2)];
  const angle = (b: number, a: number) => (atan2(b, a) + 2 * PI) % (2 * PI);
  const [h1, h2] = [angle(b1, p1), angle(b2, p2)];
  const grey = c1 * c2 === 0;
  const turn = h2 - h1;
  const dh = grey ? 0 : abs(turn) <= PI ? turn : turn - 2 * PI * Math.sign(turn);
  const dH = 2 * sqrt(c1 * c2) * sin(dh / 2);
  const [l, c] = [(l1 + l2) / 2, (c1 + c2) / 2];
  const h = grey ? h1 + h2 : abs(turn) <= PI ? (h1 + h2) / 2 : (h1 + h2 + (h1 + h2 < 2 * PI ? 2 : -2) * PI) / 2;
  const degrees = (n: number) => (n * PI) / 180;
  const t =
    1 -
    0.17 * cos(h - degrees(30)) +
    0.24 * cos(2 * h) +
    0.32 * cos(3 * h + degrees(6)) -
    0.2 * cos(4 * h - degrees(63));
  const sl = 1 + (0.015 * (l - 50) ** 2) / sqrt(20 + (l - 50) ** 2);
  const [sc, sh] = [1 + 0.045 * c, 1 + 0.015 * c * t];
  const rotation = -sin(degrees(60 * exp(-((((h * 180) / PI - 275) / 25) ** 2)))) * 2 * pull(c);
  const [dl, dc, dhh] = [(l2 - l1) / sl, (c2 - c1) / sc, dH / sh];
  return sqrt(dl ** 2 + dc ** 2 + dhh ** 2 + rotation * dc * dhh);
}
