// The coloured initial that stands for a user.

const colours = 6;

// dress makes element the face of a user: always the same one for the same name.
export function dress(element, name) {
  let sum = 0;
  for (const c of name) sum = (sum * 31 + c.codePointAt(0)) % 997;
  element.classList.add("face", `face-${sum % colours}`);
  element.textContent = [...name][0]?.toUpperCase() ?? "?";
}
