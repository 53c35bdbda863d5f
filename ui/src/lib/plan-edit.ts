// Edits of a tracking plan's file that keep everything else in it as it was written: comments, order, style.
import { parseDocument, isMap, type Document, type YAMLMap } from 'yaml';

export interface PropertyForm {
  name: string;
  type: string;
  required: boolean;
  description: string;
  /** Values that are allowed, one a line; empty: any. */
  values: string;
  minimum: string;
  maximum: string;
  /** What to do with a value that does not fit: nothing, or turn it into the right kind. */
  coerce: boolean;
}

export interface EventForm {
  name: string;
  owner: string;
  description: string;
  version: string;
}

const isText = (t: string): boolean => t === 'string';

export class PlanDraft {
  #doc: Document;
  constructor(readonly base: string) {
    this.#doc = parseDocument(base);
  }

  get text(): string {
    return this.#doc.toString({ lineWidth: 0, flowCollectionPadding: false });
  }

  event(name: string): EventForm {
    const at = (k: string): string => String(this.#doc.getIn(['events', name, k]) ?? '');
    return { name, owner: at('owner'), description: at('description'), version: at('version') };
  }

  property(event: string, name: string): PropertyForm {
    const at = (...k: string[]): unknown => this.#doc.getIn(['events', event, 'properties', name, ...k]);
    const js = (k: string): unknown => (this.#doc.toJS() as { events: Record<string, { properties?: Record<string, Record<string, unknown>> }> }).events[event]?.properties?.[name]?.[k];
    const type = js('type');
    const t = Array.isArray(type) ? String(type[0]) : String(type ?? 'string');
    const num = (k: string): string => (js(k) === undefined ? '' : String(js(k)));
    return {
      name,
      type: t,
      required: at('required') === true,
      description: String(at('description') ?? ''),
      values: ((js('enum') as unknown[] | undefined) ?? []).join('\n'),
      minimum: num(isText(t) ? 'minLength' : 'minimum'),
      maximum: num(isText(t) ? 'maxLength' : 'maximum'),
      coerce: at('on_error', 'coerce') !== undefined,
    };
  }

  setEvent(was: string, form: EventForm): void {
    const path = ['events', form.name];
    if (!was) {
      this.#doc.setIn(path, this.#doc.createNode({ version: form.version || '1-0-0', owner: form.owner || undefined, description: form.description || undefined, properties: {} }));
      return;
    }
    if (was !== form.name) this.#rename(['events'], was, form.name);
    this.#put(path, 'owner', form.owner);
    this.#put(path, 'description', form.description);
    this.#put(path, 'version', form.version);
  }

  setProperty(event: string, was: string, form: PropertyForm): void {
    const parent = ['events', event, 'properties'];
    if (!isMap(this.#doc.getIn(parent))) this.#doc.setIn(parent, this.#doc.createNode({}));
    if (was && was !== form.name) this.#rename(parent, was, form.name);
    const path = [...parent, form.name];
    if (!this.#doc.hasIn(path)) {
      const node = this.#doc.createNode({ type: form.type }) as YAMLMap;
      node.flow = true;
      this.#doc.setIn(path, node);
    }
    const before = this.property(event, form.name);
    this.#put(path, 'type', form.type);
    this.#put(path, 'required', form.required || undefined);
    this.#put(path, 'description', form.description);
    const values = form.values.split('\n').map((v) => v.trim()).filter(Boolean);
    if (form.values.trim() !== before.values.trim()) {
      const list = this.#doc.createNode(values.map((v) => (isText(form.type) || !Number.isFinite(Number(v)) ? v : Number(v))), { flow: true });
      this.#put(path, 'enum', values.length > 0 ? list : undefined);
    }
    const n = (s: string): number | undefined => (s.trim() === '' || !Number.isFinite(Number(s)) ? undefined : Number(s));
    const [low, high] = isText(form.type) ? ['minLength', 'maxLength'] : ['minimum', 'maximum'];
    const sized = !['boolean', 'array', 'object'].includes(form.type);
    for (const k of ['minLength', 'maxLength', 'minimum', 'maximum']) if (k !== low && k !== high && before.type !== form.type) this.#doc.deleteIn([...path, k]);
    if (sized) {
      this.#put(path, low!, n(form.minimum));
      this.#put(path, high!, n(form.maximum));
    }
    if (form.coerce && !before.coerce) this.#doc.setIn([...path, 'on_error'], this.#doc.createNode({ coerce: form.type }, { flow: true }));
    if (!form.coerce && before.coerce) this.#doc.deleteIn([...path, 'on_error']);
  }

  removeProperty(event: string, name: string): void {
    this.#doc.deleteIn(['events', event, 'properties', name]);
  }

  removeEvent(name: string): void {
    this.#doc.deleteIn(['events', name]);
  }

  #put(path: string[], key: string, value: unknown): void {
    if (value === '' || value === undefined) {
      if (this.#doc.hasIn([...path, key])) this.#doc.deleteIn([...path, key]);
    } else if (this.#doc.getIn([...path, key]) !== value) this.#doc.setIn([...path, key], value);
  }

  #rename(parent: string[], was: string, name: string): void {
    const map = this.#doc.getIn(parent);
    if (!isMap(map)) return;
    const pair = map.items.find((p) => String(p.key) === was);
    if (pair) pair.key = this.#doc.createNode(name);
  }
}
