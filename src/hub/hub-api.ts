/** What the Hub says of a repository: the commit of a revision, and the files of a commit with their hashes. */
import { HubError, messageOf } from "../util/errors.ts";
import { entriesOf, type TreeEntry } from "./hub-cache.ts";
import { type HubReference, isCommit } from "./hub-reference.ts";
import { type Asking, get } from "./hub-request.ts";

/** Most files of one repository. */
const mostFiles = 100_000;

/** The commit that a revision is now. Throws as `get` does. */
export async function commitOnHub(reference: HubReference, asking: Asking): Promise<string> {
  const revision = reference.revision ?? "main";
  const { body } = await json(`${api(reference, asking)}/revision/${encodeURIComponent(revision)}`, asking);
  const { sha } = { ...(body as { sha?: unknown } | null) };
  if (typeof sha === "string" && isCommit(sha)) return sha;
  throw strange(asking, "no commit");
}

/** Every file of a commit. Throws as `get` does. */
export async function treeOnHub(reference: HubReference, commit: string, asking: Asking): Promise<TreeEntry[]> {
  const files: Record<string, Record<string, unknown>> = {};
  let url: string | null = `${api(reference, asking)}/tree/${commit}?recursive=true`;
  for (let count = 0; url !== null; ) {
    const { body, next }: { body: unknown; next: string | null } = await json(url, asking);
    if (!Array.isArray(body)) throw strange(asking, "no list of files");
    for (const { type, path, size, oid, lfs, xetHash } of body) {
      if (type !== "file") continue;
      if (++count > mostFiles) throw strange(asking, `a list of more than ${mostFiles} files`);
      files[path] = {
        ...{ size, blob_id: oid },
        ...(lfs && { lfs_sha256: lfs.oid, lfs_size: lfs.size }),
        ...(xetHash && { xet_hash: xetHash }),
      };
    }
    if (next !== null && new URL(next).origin !== new URL(asking.endpoint).origin)
      throw strange(asking, "a list of files that goes on elsewhere");
    url = next;
  }
  try {
    return entriesOf(files);
  } catch (error) {
    throw strange(asking, `a list of files that cannot be used: ${messageOf(error)}`);
  }
}

/** The address of a file's bytes. */
export function fileAddress({ type, id }: HubReference, commit: string, path: string, { endpoint }: Asking): string {
  const name = path.split("/").map(encodeURIComponent).join("/");
  return `${endpoint}/${type === "dataset" ? "datasets/" : ""}${id}/resolve/${commit}/${name}`;
}

function api({ type, id }: HubReference, { endpoint }: Asking): string {
  return `${endpoint}/api/${type}s/${id}`;
}

async function json(url: string, asking: Asking): Promise<{ body: unknown; next: string | null }> {
  const answer = await get(url, { accept: "application/json" }, asking);
  const text = await answer.text();
  const [, next] = /<([^>]+)>;\s*rel="?next"?/.exec(answer.headers.get("link") ?? "") ?? [];
  try {
    return { body: JSON.parse(text), next: next === undefined ? null : new URL(next, url).href };
  } catch {
    throw strange(asking, "no JSON");
  }
}

function strange({ endpoint }: Asking, what: string): HubError {
  return new HubError(
    `${new URL(endpoint).host} answers with ${what}, unlike the Hub`,
    "Check HF_ENDPOINT; a sign-in page of the network may have answered in its place.",
  );
}
