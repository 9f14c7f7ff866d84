/** Opens an algorithm by its name in the table of algorithms (`settings/algorithm-table.ts`): the file beside this one that has that name. */
import type { AlgorithmName } from "../settings/algorithm-table.ts";
import type { Algorithm } from "./algorithm.ts";

/** What the algorithm's file exports under the name `algorithm`. */
export async function openAlgorithm(name: AlgorithmName): Promise<Algorithm> {
  return ((await import(/* @vite-ignore */ `./${name}.ts`)) as { readonly algorithm: Algorithm }).algorithm;
}
