import { describe, expect, it } from "vitest";
import fc from "../../test/support/property.ts";
import { answerIn, numbersIn } from "./number.ts";

describe("numbers in text", () => {
  it.each<[string, string[]]>([
    ["She earns $18 a day.", ["18"]],
    ["1,234,567.50 dollars", ["1234567.5"]],
    ["1,2 and 3", ["1", "2", "3"]],
    ["12,3456", ["12", "3456"]],
    ["-5, \u22126, $-7, -$8", ["-5", "-6", "-7", "-8"]],
    ["48/2 = 24, 20-2=18, (3)-1", ["48", "2", "24", "20", "2", "18", "3", "1"]],
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
