/** A writer of ONNX models: the few protobuf messages that a graph needs (onnx.proto3, IR version 10). */

/** ONNX's numbers for element types. */
export const elementTypes = { float32: 1, int32: 6, int64: 7, bool: 9, float64: 11 } as const;
export type ElementType = keyof typeof elementTypes;

export type Attribute =
  | { readonly float: number }
  | { readonly int: number }
  | { readonly ints: readonly number[] }
  | { readonly string: string }
  | { readonly graph: GraphProto };

export interface NodeProto {
  readonly op: string;
  readonly domain?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
}

export interface ValueProto {
  readonly name: string;
  readonly type: ElementType;
  /** The shape; absent if it changes from step to step of a loop. */
  readonly shape?: readonly (number | string)[];
}

export interface InitializerProto {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly values: readonly number[];
}

export interface GraphProto {
  readonly name: string;
  readonly nodes: readonly NodeProto[];
  readonly initializers: readonly InitializerProto[];
  readonly inputs: readonly ValueProto[];
  readonly outputs: readonly ValueProto[];
}

/** The bytes of a ModelProto. */
export function encodeModel(graph: GraphProto): Uint8Array {
  const model = new Writer();
  model.int(1, 10);
  model.text(2, "ballast");
  model.message(7, encodeGraph(graph));
  model.message(8, opset("", 20));
  model.message(8, opset("com.microsoft", 1));
  return model.bytes();
}

function opset(domain: string, version: number): Writer {
  const writer = new Writer();
  writer.text(1, domain);
  writer.int(2, version);
  return writer;
}

function encodeGraph(graph: GraphProto): Writer {
  const writer = new Writer();
  for (const node of graph.nodes) writer.message(1, encodeNode(node));
  writer.text(2, graph.name);
  for (const initializer of graph.initializers) writer.message(5, encodeTensor(initializer));
  for (const value of graph.inputs) writer.message(11, encodeValue(value));
  for (const value of graph.outputs) writer.message(12, encodeValue(value));
  return writer;
}

function encodeNode(node: NodeProto): Writer {
  const writer = new Writer();
  for (const name of node.inputs) writer.text(1, name);
  for (const name of node.outputs) writer.text(2, name);
  writer.text(4, node.op);
  for (const [name, attribute] of Object.entries(node.attributes ?? {})) {
    writer.message(5, encodeAttribute(name, attribute));
  }
  if (node.domain !== undefined) writer.text(7, node.domain);
  return writer;
}

function encodeAttribute(name: string, attribute: Attribute): Writer {
  const writer = new Writer();
  writer.text(1, name);
  if ("float" in attribute) {
    writer.float(2, attribute.float);
    writer.int(20, 1);
  } else if ("int" in attribute) {
    writer.int(3, attribute.int);
    writer.int(20, 2);
  } else if ("string" in attribute) {
    writer.text(4, attribute.string);
    writer.int(20, 3);
  } else if ("graph" in attribute) {
    writer.message(6, encodeGraph(attribute.graph));
    writer.int(20, 5);
  } else {
    for (const value of attribute.ints) writer.int(8, value);
    writer.int(20, 7);
  }
  return writer;
}

function encodeTensor(tensor: InitializerProto): Writer {
  const writer = new Writer();
  for (const dim of tensor.shape) writer.int(1, dim);
  writer.int(2, elementTypes[tensor.type]);
  writer.text(8, tensor.name);
  writer.raw(9, rawData(tensor.type, tensor.values));
  return writer;
}

function rawData(type: ElementType, values: readonly number[]): Uint8Array {
  switch (type) {
    case "float32":
      return new Uint8Array(Float32Array.from(values).buffer);
    case "float64":
      return new Uint8Array(Float64Array.from(values).buffer);
    case "int32":
      return new Uint8Array(Int32Array.from(values).buffer);
    case "int64":
      return new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    case "bool":
      return Uint8Array.from(values);
  }
}

function encodeValue(value: ValueProto): Writer {
  const tensorType = new Writer();
  tensorType.int(1, elementTypes[value.type]);
  if (value.shape !== undefined) {
    const shape = new Writer();
    for (const dim of value.shape) {
      const dimension = new Writer();
      if (typeof dim === "number") dimension.int(1, dim);
      else dimension.text(2, dim);
      shape.message(1, dimension);
    }
    tensorType.message(2, shape);
  }
  const type = new Writer();
  type.message(1, tensorType);
  const writer = new Writer();
  writer.text(1, value.name);
  writer.message(2, type);
  return writer;
}

const encoder = new TextEncoder();

/** Protobuf's wire format: a tag, then a varint, four bytes, or a length and bytes. */
class Writer {
  #chunks: Uint8Array[] = [];
  #length = 0;

  int(field: number, value: number): void {
    this.#push(varint(field << 3));
    this.#push(varint(value));
  }

  float(field: number, value: number): void {
    this.#push(varint((field << 3) | 5));
    this.#push(new Uint8Array(Float32Array.of(value).buffer));
  }

  text(field: number, value: string): void {
    this.raw(field, encoder.encode(value));
  }

  raw(field: number, value: Uint8Array): void {
    this.#push(varint((field << 3) | 2));
    this.#push(varint(value.length));
    this.#push(value);
  }

  message(field: number, value: Writer): void {
    this.#push(varint((field << 3) | 2));
    this.#push(varint(value.#length));
    for (const chunk of value.#chunks) this.#push(chunk);
  }

  bytes(): Uint8Array {
    const result = new Uint8Array(this.#length);
    let offset = 0;
    for (const chunk of this.#chunks) {
      result.set(chunk, offset);
      offset += chunk.length;
    }
    return result;
  }

  #push(chunk: Uint8Array): void {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
  }
}

function varint(value: number): Uint8Array {
  // Two's complement over 64 bits, as protobuf wants for negative int64.
  let rest = BigInt.asUintN(64, BigInt(value));
  const bytes: number[] = [];
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return Uint8Array.from(bytes);
}
