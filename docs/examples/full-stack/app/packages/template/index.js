// Puts values in the place of {{names}}.
module.exports = (text, values) => text.replace(/\{\{(\w+)\}\}/g, (_, name) => String(values[name] ?? ''));
