import { describe, expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import { answerIn, numbersIn } from "./number.ts";

describe("numbers in text", () => {
  it.each<[string, string[]]>([
    ["She earns $18 a day.", ["18"]],
    ["1,234,567.50 dollars", ["1234567.5"]],
    ["1,2 and 3", ["3"]],
    ["1, 2 and 3", ["1", "2", "3"]],
    ["12,3456", []],
    ["-5, \u22126, $-7, -$8", ["-5", "-6", "-7", "-8"]],
    ["48/2 = 24, 20-2=18, (3)-1", ["24", "24", "18", "3"]],
    ["x -5", ["-5"]],
    [".5 0.50 00.5 5. 007 0.0 -0", ["0.5", "0.5", "0.5", "5", "7", "0", "0"]],
    ["50% of 3rd", ["50", "3"]],
    ["\uff11\uff18", ["18"]],
    ["\u20ac9.99", ["9.99"]],
    ["**18**", ["18"]],
    ["none", []],
    ["", []],
  ])("%j: %j", (text, numbers) => {
    expect(numbersIn(text)).toEqual(numbers);
  });

  it.each<[string, string, string[]]>([
    [
      "scientific notation",
      "6.02e23 6.02E+23 6.02 x 10^23 6.02\u00d710\u00b2\u00b3",
      Array(4).fill(`602${"0".repeat(21)}`),
    ],
    ["small ones", "0.0000005 5e-7 5 \\times 10^{-7}", Array(3).fill("0.0000005")],
    ["beyond doubles", "1e400 9007199254740993.0", [`1${"0".repeat(400)}`, "9007199254740993"]],
    ["beyond memory", "1e999999999999999 1e9999999999999999", ["1e999999999999999"]],
    ["fractions", "3/4 6/8 1/3 \\frac{1}{3} \u00bd -1/2 5/0", ["0.75", "0.75", "1/3", "1/3", "0.5", "-0.5"]],
    ["mixed fractions", "1 1/2, 2\u00be, 7\\frac{1}{2}", ["1.5", "2.75", "7.5"]],
    ["times, ratios, dates, versions", "12:30, 3:4, 2024-05-01, 01/02/2024, 1.2.3, 3...4", []],
    ["dashes that touch", "-5 \u22125 \u20105 \u20135, is\u7b54\u6848\u662f-5", Array(5).fill("-5")],
    ["dashes that do not", "- 5, \u2212 5, \u2014 5, \u20145, --5, \u00b15, - $5", []],
    ["ranges and subtractions", "3-4, 3 \u2013 4, 5%-10%, $5-$10, 20 - 2 = 18", ["18"]],
    ["a sign after a space", "3 -5", ["3", "-5"]],
    ["what a dash ties to a word", "COVID-19 x-5 (a)-1", []],
    [
      "separators",
      "1'234'567 1_000 1,23,456 1\u00a0234\u202f567 $1{,}000",
      ["1234567", "1000", "123456", "1234567", "1000"],
    ],
    ["separators that may mean something else", "1,5 1.234,56 1 234 567", []],
    ["powers and roots", "2^53 5\u00b2 2**53 x^2 x_1 \\sqrt{2} 2\u221a3 2\u03c0 10^3", ["1000"]],
    ["words for powers of ten", "10k, $1.5M, 3 million, 3 millimetres", ["3"]],
    ["other bases, quotients", "0x1F km/5 5/day", ["5"]],
    ["a point that ends a word", "Rs.500 No.7", ["500", "7"]],
    ["full-width punctuation", "5\uff0c6", ["5", "6"]],
  ])("are whole or not there: %s", (_, text, numbers) => {
    expect(numbersIn(text)).toEqual(numbers);
  });

  const refused = [
    "\u0663.5",
    "\u0663,500",
    "\u09678",
    "18\u0663",
    "5.e3",
    "1.e-3",
    "6.02e 23",
    "1//2",
    "1\u22362",
    "1/$2",
    "\\cfrac{3}{x}",
    "{3 \\over 4}",
    "\\sqrt[3]{8}",
    "2 \\pi",
    "5 \u03c0",
    "0.\\overline{3}",
    "0.(3)",
    "-(5)",
    "-{5}",
    "-|5|",
    "-**5**",
    "-\\text{5}",
    "-+5",
    "5*10**3",
    "0b11",
    "0o17",
    "5\u20436",
    "1\t000",
    "1\u066c234",
    "1\u066b5",
    "5\u5104",
    "5\u4e07",
    "5 lakh",
    "5 crore",
    "5-million",
    "$1.2 M",
    "1.2m",
    "5 k",
    "H2O",
    "log2",
    "x1",
    "\u0967\u0968.5",
    "5\u0967",
    "\u2460",
    "5\u2460",
    "\u00a35 bn",
    "$1.2 m",
    "3 Million",
    "12 \u4e07\u5143",
    "7 hundred",
    "3\ucc9c",
    "5 mln",
    "2+3",
    "2 + 3",
    "4 x 5",
    "4x5",
    "6\u00f72",
    "6 \u00f7 2",
    "3\u2236 4",
    "3~5",
    "5h30",
    "1\\2",
    "\\frac{\\sqrt{2}}{3}",
    "\\frac{2}{x}",
    "\\binom{5}{2}",
    "\\log_2",
    "10_{2}",
    "10\u2082",
    "5_{123}",
    "\\dfrac{10}{x}",
    "\\bar{3}",
    "0.3\u0305",
    "0.[3]",
    "5\u20e3",
    "e\u03015",
    "\u2013(5)",
    "\u2212\u201c5\u201d",
    "-_5_",
    "\u00b1(5)",
    "x+5",
    "x * 5",
    "2(3)",
    "2*(3)",
    "(3)/4",
    "(3)^2",
    "5 \\times 4",
    "5\u202210",
    "\u221b8",
    "5\u20326\u2033",
    "\uff11\uff0c\uff12\uff13\uff14",
    "5\u200900\u0661",
    "5\u060c\u0663",
    "30 / (1/2)",
    "30 / ( 1/2 )",
    "80(.50)",
    "5 - (3)",
    "5 + (3)",
    "\\frac{x}3",
    "18\\text{ million}",
    "5e\u00b3",
    "5\\pi",
    "0B11",
    "USD5x",
    "1,\u0662",
    "8\u02bc0",
    "5 Billion",
  ];
  it.each(refused)("are not parts of something larger: %j", (text) => {
    expect(numbersIn(text)).toEqual([]);
    expect(answerIn(`5 or 6\n#### ${text}`, { marker: "####", requireMarker: true })).toBeNull();
  });

  it.each<[string, string[]]>([
    ["5e\u00b3 5\u221910\u00b3", ["5000"]],
    [
      "3\u22154 \\frac{10}4, \\frac{3}4, \\frac 3{4}, \\cfrac{3}{4}, \\tfrac34",
      ["0.75", "2.5", "0.75", "0.75", "0.75", "0.75"],
    ],
    ["5\\ 000 5,\\!000", ["5000", "5000"]],
    ["-\u200b5 1\u00ad000 1\u200b8\ufeff", ["-5", "1000", "18"]],
    ["18 apples, $18. (18) **18** 18% 18km {18} [18] \u201c18\u201d '18' 18!", Array(11).fill("18")],
    ["US$18, R$ 18; \\$18 ~18 #18 =18", Array(6).fill("18")],
    [
      "$\\boxed{18}$ \\boxed{\\text{18}} \\text{Answer: }18, 18\\text{ km} 18\\% 18^\\circ x \\approx 18 \\\\ (18) \\(18\\)",
      Array(9).fill("18"),
    ],
    ["\u7b54\u6848\u662f18\u4e2a, 18\u5e74", ["18", "18"]],
    ["- **18** apples, **18** **19**, is **(18)**", ["18", "18", "19", "18"]],
    ["18 metres, 18 minutes, 18 bags, 18 km, 18 M&Ms, 18 kids, 18-day", Array(7).fill("18")],
    ["2+3=<<2+3=5>>5", ["5", "5"]],
  ])("beside what changes nothing: %j", (text, numbers) => {
    expect(numbersIn(text)).toEqual(numbers);
  });

  it("of any length cost little time", () => {
    const long = "9".repeat(20_000);
    const texts = [
      `${long}/${long}`,
      "1/".repeat(20_000),
      "- ".repeat(20_000),
      "-".repeat(20_000),
      "1 ".repeat(20_000),
      "\\frac{".repeat(9000),
      "1a".repeat(20_000),
      `1${" ".repeat(40_000)}`,
      "1+".repeat(20_000),
      "-(".repeat(20_000),
      "\\a[".repeat(20_000),
    ];
    for (const text of texts) expect(numbersIn(text).length).toBeLessThanOrEqual(20_000);
  });

  it("have one form for one value, and two for two: fractions against integers that are compared crosswise", () => {
    const part = fc.bigInt({ min: 0n, max: 10n ** 30n });
    fc.assert(
      fc.property(part, part, fc.integer({ min: -40, max: 40 }), (a, b, shift) => {
        const [left, right] = [numbersIn(`${a}e${shift}/${b + 1n}`)[0], numbersIn(`${b}/${a + 1n}`)[0]];
        const scale = 10n ** BigInt(Math.abs(shift));
        const [up, down] = shift < 0 ? [1n, scale] : [scale, 1n];
        expect(left === right).toBe(a * up * (a + 1n) === b * (b + 1n) * down);
        expect(numbersIn(`${a * 7n}e${shift + 2}/${(b + 1n) * 700n}`)[0]).toBe(left);
      }),
    );
  });

  it("reads back any number that it is shown, with and without separators", () => {
    fc.assert(
      fc.property(fc.integer(), fc.nat({ max: 999 }), (whole, thousandths) => {
        const sign = whole < 0 ? "-" : "";
        const digits = Math.abs(whole);
        const fraction = String(thousandths).padStart(3, "0");
        const [found] = numbersIn(`${sign}${digits}.${fraction}`);
        const [separated] = numbersIn(`about ${sign}$${digits.toLocaleString("en-US")}.${fraction}!`);
        return Number(found) === Number(`${sign}${digits}.${fraction}`) && found === separated;
      }),
    );
  });

  it("tells long numbers apart that floats do not", () => {
    expect(numbersIn("12345678901234567890")).not.toEqual(numbersIn("12345678901234567891"));
  });
});

describe("the answer", () => {
  const gsm8k = { marker: "####", requireMarker: false };
  it.each<[string, string | null]>([
    ["Natalia sold 48/2 = 24 clips.\n#### 72", "72"],
    ["#### $1,080 dollars for 3 weeks", "1080"],
    ["#### 5\nNo: #### 6", "6"],
    ["so the answer is 12.", "12"],
    ["first 3, then 4 ####", "4"],
    ["none", null],
    ["5 people leave. #### 12:30", null],
    ["#### 3/4", "0.75"],
    ["5 people leave at 12:30", "5"],
  ])("%j: %j", (text, answer) => {
    expect(answerIn(text, gsm8k)).toBe(answer);
  });

  it("needs the marker if it is required", () => {
    expect(answerIn("it is 12", { marker: "####", requireMarker: true })).toBeNull();
    expect(answerIn("12 ####", { marker: "####", requireMarker: true })).toBeNull();
    expect(answerIn("it is \\boxed{12}, not 3", { marker: "\\boxed{", requireMarker: true })).toBe("12");
    expect(answerIn("1 then 2", { marker: "", requireMarker: false })).toBe("2");
  });
});
