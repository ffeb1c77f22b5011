// Elements as values, and the changes that make the page equal to them. Text is always text: no
// function here parses markup.

const svgNamespace = "http://www.w3.org/2000/svg";

/** @typedef {{tag: string, props: Record<string, any>, children: Child[], key?: string,
 *  deps?: unknown[]}} VNode */
/** @typedef {VNode | string} Child */
/** @typedef {VNode | string | number | null | undefined | false
 *  | ReadonlyArray<any>} Loose */

/**
 * @param {ReadonlyArray<Loose>} loose
 * @param {Child[]} into
 * @returns {Child[]}
 */
function flatten(loose, into) {
	for (const child of loose) {
		if (child === null || child === undefined || child === false || child === "") continue;
		if (typeof child === "number") into.push(String(child));
		else if (typeof child === "string" || "tag" in child) into.push(child);
		else flatten(child, into);
	}
	return into;
}

/**
 * An element. Properties whose names begin with "on" are listeners, `style` has CSS properties, and
 * the others are attributes. `key` identifies a child among its siblings.
 * @param {string} tag
 * @param {Record<string, any> | null} [props]
 * @param {...Loose} children
 */
export function h(tag, props, ...children) {
	const { key, ...rest } = props ?? {};
	return { tag, props: rest, children: flatten(children, []), key };
}

/**
 * An element that stays as it is while `deps` stay the same.
 * @param {unknown[]} deps
 * @param {() => VNode} make
 * @param {Map<string, VNode>} kept
 * @param {string} key
 */
export function memo(deps, make, kept, key) {
	const old = kept.get(key);
	if (old?.deps && old.deps.length === deps.length && old.deps.every((dep, i) => dep === deps[i])) {
		return old;
	}
	const made = { ...make(), deps, key };
	kept.set(key, made);
	return made;
}

/**
 * What an element shows.
 * @type {WeakMap<Node, VNode>}
 */
const current = new WeakMap();

/**
 * @param {Child} child
 * @param {boolean} isSvg
 */
function create(child, isSvg) {
	if (typeof child === "string") return document.createTextNode(child);
	const inSvg = isSvg || child.tag === "svg";
	const element = inSvg ?
		document.createElementNS(svgNamespace, child.tag) : document.createElement(child.tag);
	current.set(element, { tag: child.tag, props: {}, children: [] });
	update(/** @type {any} */ (element), child, inSvg);
	return element;
}

/**
 * @param {any} element
 * @param {string} name
 * @param {any} value
 * @param {any} old
 */
function setProperty(element, name, value, old) {
	if (name.startsWith("on")) {
		element[name.toLowerCase()] = value ?? null;
	} else if (name === "style") {
		for (const [part, text] of Object.entries(value ?? {})) element.style.setProperty(part, text);
	} else if (name === "value" || name === "checked") {
		// The text that the user is typing stays.
		const isTyping = element === document.activeElement && element.type === "number";
		if (element[name] !== value && !isTyping) element[name] = value ?? "";
	} else if (value === undefined || value === null || value === false) {
		element.removeAttribute(name);
	} else {
		element.setAttribute(name, value === true ? "" : String(value));
	}
}

/**
 * @param {any} element
 * @param {VNode} next
 * @param {boolean} isSvg
 */
function update(element, next, isSvg) {
	const old = /** @type {VNode} */ (current.get(element));
	if (old === next) return;
	current.set(element, next);
	for (const name of Object.keys(old.props)) {
		if (!(name in next.props)) setProperty(element, name, undefined, old.props[name]);
	}
	// The value of a control depends on its bounds and options.
	updateChildren(element, next.children, isSvg || next.tag === "svg");
	for (const [name, value] of Object.entries(next.props)) {
		if (value !== old.props[name] || name === "value" || name === "checked") {
			setProperty(element, name, value, old.props[name]);
		}
	}
}

/**
 * @param {Node} node
 * @param {Child} child
 */
function fits(node, child) {
	if (typeof child === "string") return node.nodeType === 3;
	const shown = current.get(node);
	return shown !== undefined && shown.tag === child.tag && shown.key === child.key;
}

/**
 * @param {Element} element
 * @param {Child[]} children
 * @param {boolean} isSvg
 */
function updateChildren(element, children, isSvg) {
	/** @type {Map<string, Node> | null} */
	let keyed = null;
	let node = element.firstChild;
	for (const child of children) {
		const key = typeof child === "string" ? undefined : child.key;
		if (key !== undefined && !(node && fits(node, child))) {
			if (!keyed) {
				keyed = new Map();
				for (const each of element.childNodes) {
					const shown = current.get(each);
					if (shown?.key !== undefined) keyed.set(shown.key, each);
				}
			}
			const found = keyed.get(key);
			if (found && fits(found, child)) {
				element.insertBefore(found, node);
				node = found.nextSibling;
				update(found, /** @type {VNode} */ (child), isSvg);
				continue;
			}
		}
		if (node && fits(node, child)) {
			if (typeof child === "string") {
				if (node.nodeValue !== child) node.nodeValue = child;
			} else {
				update(node, child, isSvg);
			}
			node = node.nextSibling;
		} else {
			element.insertBefore(create(child, isSvg), node);
		}
	}
	while (node) {
		const next = node.nextSibling;
		element.removeChild(node);
		node = next;
	}
}

/**
 * Makes the content of an element equal to the children.
 * @param {Element} element
 * @param {...Loose} children
 */
export function render(element, ...children) {
	updateChildren(element, flatten(children, []), false);
}

/**
 * An SVG element that scales to its container.
 * @param {number} width
 * @param {number} height
 * @param {Record<string, any>} props
 * @param {...Loose} children
 */
export function svg(width, height, props, ...children) {
	return h("svg", { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", ...props },
		...children);
}
