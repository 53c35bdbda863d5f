// The SQL editor: CodeMirror with our colours, completion from what the engine knows, and mistakes where they are.
import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap, type Completion, type CompletionContext, type CompletionResult } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { PostgreSQL, SQLDialect } from '@codemirror/lang-sql';
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from '@codemirror/language';
import { setDiagnostics } from '@codemirror/lint';
import { EditorState, Prec } from '@codemirror/state';
import { drawSelection, EditorView, highlightActiveLine, highlightActiveLineGutter, keymap, lineNumbers } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import type { SQLFunction, View } from '../../lib/schema';
import { columnsAt, keywords } from '../../lib/sql-words';

const dialect = SQLDialect.define({
  ...PostgreSQL.spec,
  keywords: `${PostgreSQL.spec.keywords ?? ''} emit changes watermark sink source qualify tumble hop cumulate session`,
});

const colours = HighlightStyle.define([
  { tag: tags.keyword, color: 'var(--code-word)' },
  { tag: [tags.string, tags.special(tags.string)], color: 'var(--code-string)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--code-number)' },
  { tag: [tags.typeName, tags.standard(tags.name)], color: 'var(--code-key)' },
  { tag: tags.comment, color: 'var(--code-quiet)', fontStyle: 'italic' },
]);

const look = EditorView.theme({
  '&': { color: 'var(--ink)', backgroundColor: 'var(--surface)', fontSize: '0.875rem' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.65', minHeight: '13rem', maxHeight: '26rem' },
  '.cm-content': { caretColor: 'var(--ink)', padding: '0.75rem 0' },
  '.cm-cursor': { borderLeftColor: 'var(--ink)' },
  '.cm-gutters': { backgroundColor: 'var(--surface)', color: 'var(--ink-3)', border: 'none', paddingLeft: '0.5rem' },
  '.cm-activeLine, .cm-activeLineGutter': { backgroundColor: 'color-mix(in srgb, var(--surface-2) 60%, transparent)' },
  '&.cm-focused .cm-selectionBackground, .cm-selectionBackground': { backgroundColor: 'var(--brand-soft) !important' },
  '.cm-matchingBracket, &.cm-focused .cm-matchingBracket': { backgroundColor: 'var(--brand-soft)', color: 'inherit' },
  '.cm-lintRange-error': { backgroundImage: 'none', textDecoration: 'underline wavy var(--bad)', textUnderlineOffset: '0.2em' },
  '.cm-tooltip': { backgroundColor: 'var(--surface)', color: 'var(--ink)', border: '1px solid var(--line)', borderRadius: 'var(--radius-s)', boxShadow: 'var(--shadow-2)' },
  '.cm-tooltip-lint': { padding: '0.3rem 0.5rem' },
  '.cm-diagnostic-error': { borderLeftColor: 'var(--bad)' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul': { fontFamily: 'var(--mono)', fontSize: '0.8125rem', maxHeight: '15rem' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li': { padding: '0.2rem 0.6rem' },
  '.cm-tooltip-autocomplete ul li[aria-selected]': { backgroundColor: 'var(--brand-soft)', color: 'var(--brand-strong)' },
  '.cm-completionDetail': { marginLeft: '1rem', color: 'var(--ink-3)', fontStyle: 'normal' },
  '.cm-completionMatchedText': { textDecoration: 'none', fontWeight: '600' },
  '.cm-completionInfo': { padding: '0.5rem 0.75rem', maxWidth: '22rem', fontFamily: 'var(--font)', fontSize: '0.8125rem' },
});

/** What completion offers. */
export interface Known {
  relations: View[];
  functions: SQLFunction[];
}

export interface Editor {
  set(text: string): void;
  insert(text: string): void;
  /** Marks a mistake; null takes the mark away. */
  mark(at: { from: number; to: number; message: string } | null): void;
  focus(): void;
  close(): void;
}

export function openEditor(parent: HTMLElement, text: string, on: { change: (text: string) => void; run: () => void; known: () => Known }): Editor {
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: text,
      extensions: [
        lineNumbers(),
        highlightActiveLine(),
        highlightActiveLineGutter(),
        history(),
        drawSelection(),
        indentOnInput(),
        bracketMatching(),
        closeBrackets(),
        dialect.extension,
        syntaxHighlighting(colours),
        look,
        autocompletion({ override: [(c) => complete(c, on.known())], icons: false }),
        // Tab stays with the page: the keyboard must get out of the editor.
        Prec.highest(keymap.of([{ key: 'Mod-Enter', run: () => (on.run(), true) }])),
        keymap.of([...closeBracketsKeymap, ...completionKeymap, ...historyKeymap, ...defaultKeymap]),
        EditorView.lineWrapping,
        EditorView.contentAttributes.of({ 'aria-label': 'SQL', spellcheck: 'false', autocapitalize: 'off' }),
        EditorView.updateListener.of((u) => u.docChanged && on.change(u.state.doc.toString())),
      ],
    }),
  });
  // What scrolls must be reachable by keyboard, and the content inside it is: axe wants to see it on the box itself.
  view.scrollDOM.tabIndex = -1;
  return {
    set: (t) => view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: t } }),
    insert: (t) => {
      view.dispatch(view.state.replaceSelection(t));
      view.focus();
    },
    mark: (at) => {
      const end = view.state.doc.length;
      const list = at ? [{ from: Math.min(at.from, end), to: Math.min(Math.max(at.to, at.from), end), severity: 'error' as const, message: at.message }] : [];
      view.dispatch(setDiagnostics(view.state, list));
    },
    focus: () => view.focus(),
    close: () => view.destroy(),
  };
}

function complete(c: CompletionContext, known: Known): CompletionResult | null {
  const word = c.matchBefore(/[\w]*$/);
  const path = c.matchBefore(/\w+\.\w*$/);
  if (!path && (!word || (word.from === word.to && !c.explicit))) return null;
  const text = c.state.doc.toString();
  const columns = columnsAt(text, path ? path.text.split('.')[0]! : '', known.relations).map(
    (col): Completion => ({ label: col.name, detail: col.type, type: 'property', boost: 3 }),
  );
  if (path) return { from: path.from + path.text.indexOf('.') + 1, options: columns, validFor: /^\w*$/ };
  const seen = new Set<string>();
  const functions = known.functions.filter((f) => !seen.has(f.name) && seen.add(f.name)).map(
    (f): Completion => ({ label: f.name, apply: `${f.name}(`, detail: f.kind === 'scalar' ? f.signature.slice(f.name.length) : f.kind, info: f.help, type: 'function' }),
  );
  const relations = known.relations.map((r): Completion => ({ label: r.name, detail: r.kind, info: r.description || undefined, type: 'class', boost: 2 }));
  const words = keywords.map((k): Completion => ({ label: k, type: 'keyword', boost: -1 }));
  return { from: word!.from, options: [...columns, ...relations, ...functions, ...words], validFor: /^\w*$/ };
}
