// The search takes a leading "-" for "without": an option such as --resume is looked for as its word.
function dropDashes(field) {
  const query = field.value.replace(/(^|\s)-+(?=\w)/g, "$1");
  if (query !== field.value) field.value = query;
}

const isQuery = (element) => element.matches("[data-md-component=search-query]");

document.addEventListener("input", ({ target }) => isQuery(target) && dropDashes(target), true);

// An address with ?q= has filled the field by now, before the index is there to be asked.
dropDashes(document.querySelector("[data-md-component=search-query]"));
