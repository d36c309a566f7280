// Fills the form in for one of the demo's users; without this script one types.

import { dress } from "./faces.js";

const username = document.getElementById("username");
const password = document.getElementById("password");

for (const button of document.querySelectorAll("button[data-username]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    username.value = button.dataset.username;
    password.value = button.dataset.password;
    document.querySelector("button[type=submit]").focus();
  });
}

for (const face of document.querySelectorAll(".face")) dress(face, face.dataset.name);
