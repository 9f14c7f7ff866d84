/** Several engines as one: a model is opened on the engine of its role, and every later verb goes to where its model is. */

import { EngineError } from "../util/errors.ts";
import type { ModelRole } from "./capabilities.ts";
import type { Engine, EngineInfo, LoadModelRequest, ModelId, ModelInfo } from "./engine.ts";

/** `main` has every role that `others` does not name. Ids of its models stay as they are; those of the others begin with their role. */
export function routedEngine(main: Engine, others: Partial<Readonly<Record<ModelRole, Engine>>>): Engine {
  const placeOf = (id: ModelId): { engine: Engine; own: ModelId; as: (info: ModelInfo) => ModelInfo } => {
    const role = id.slice(0, Math.max(0, id.indexOf(":"))) as ModelRole;
    const engine = others[role];
    if (engine === undefined) return { engine: main, own: id, as: (info) => info };
    return { engine, own: id.slice(role.length + 1), as: (info) => ({ ...info, id: `${role}:${info.id}` }) };
  };
  const together = (what: string, a: ModelId, b: ModelId) => {
    const [first, second] = [placeOf(a), placeOf(b)];
    if (first.engine !== second.engine)
      throw new EngineError(`${what}: the models ${a} and ${b} are on different engines`);
    return [first, second.own] as const;
  };
  const all = () => [...new Set([main, ...Object.values(others)])];
  const newHome = (role: ModelRole | undefined) => placeOf(role === undefined ? "" : `${role}:`);
  return {
    async info() {
      const own = await main.info();
      const roles: [string, EngineInfo][] = [];
      for (const [role, engine] of Object.entries(others)) roles.push([role, await engine.info()]);
      const each = [own, ...roles.map(([, info]) => info)];
      const versions = roles.flatMap(([role, info]) =>
        Object.entries(info.versions).map(([name, version]) => [`${role} ${name}`, version]),
      );
      return {
        ...own,
        cpu: [...new Set(each.map(({ cpu }) => cpu))].join(" and "),
        // The setting is one for all; a server answers 1.
        threads: Math.max(...each.map(({ threads }) => threads)),
        versions: { ...own.versions, ...Object.fromEntries(versions) },
        roles: Object.fromEntries(roles),
      };
    },
    async usage() {
      const each = await Promise.all(all().map((engine) => engine.usage()));
      const nativeSeconds = each.reduce((total, one) => total + one.nativeSeconds, 0);
      const devices = each.flatMap(({ deviceMb }) => deviceMb ?? []);
      return {
        nativeSeconds,
        residentMb: Math.max(...each.map(({ residentMb }) => residentMb)),
        ...(devices.length > 0 && { deviceMb: Math.max(...devices) }),
      };
    },
    async createModel(request) {
      const { engine, as } = newHome(request.role);
      return as(await engine.createModel(request));
    },
    async cloneModel(id, request = {}) {
      const { into, ...rest } = request;
      if (into === undefined) {
        const { engine, own, as } = placeOf(id);
        return as(await engine.cloneModel(own, rest));
      }
      const [{ engine, own, as }, target] = together("clone", id, into);
      return as(await engine.cloneModel(own, { ...rest, into: target }));
    },
    inspectModel: (state, request) => newHome(request?.role).engine.inspectModel(state, request),
    async loadModel(state, request: LoadModelRequest = {}) {
      const { engine, as } = newHome(request.role);
      return as(await engine.loadModel(state, request));
    },
    saveModel: (id, folder, options) => placeOf(id).engine.saveModel(placeOf(id).own, folder, options),
    async deleteState(state) {
      for (const engine of all()) await engine.deleteState?.(state);
    },
    async ema(target, source, decay) {
      const [{ engine, own }, from] = together("ema", target, source);
      return engine.ema(own, from, decay);
    },
    disposeModel: (id) => placeOf(id).engine.disposeModel(placeOf(id).own),
    sample: (id, request, options) => placeOf(id).engine.sample(placeOf(id).own, request, options),
    forward: (id, request, options) => placeOf(id).engine.forward(placeOf(id).own, request, options),
    forwardBackward: (id, loss, options) => placeOf(id).engine.forwardBackward(placeOf(id).own, loss, options),
    optimStep: (id, request) => placeOf(id).engine.optimStep(placeOf(id).own, request),
    zeroGrad: (id) => placeOf(id).engine.zeroGrad(placeOf(id).own),
    async close() {
      for (const engine of all()) await engine.close();
    },
  };
}
