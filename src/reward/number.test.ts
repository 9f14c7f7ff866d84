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

  it("of any length cost little time", () => {
    const long = "9".repeat(20_000);
    const texts = [
      `${long}/${long}`,
      "1/".repeat(20_000),
      "- ".repeat(20_000),
      "1 ".repeat(20_000),
      "\\frac{".repeat(9000),
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

  it("needs the marker where it is required", () => {
    expect(answerIn("it is 12", { marker: "####", requireMarker: true })).toBeNull();
    expect(answerIn("12 ####", { marker: "####", requireMarker: true })).toBeNull();
    expect(answerIn("it is \\boxed{12}, not 3", { marker: "\\boxed{", requireMarker: true })).toBe("12");
    expect(answerIn("1 then 2", { marker: "", requireMarker: false })).toBe("2");
  });
});
