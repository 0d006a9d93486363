// The images of a file, to choose one.

function makeChoices(root, order) {
  const place = element("div", { className: "s1o-choices", hidden: true });
  root.prepend(place);
  return (images) => {
    place.hidden = !images.length;
    place.replaceChildren(element("b", {}, "Choose an image"), ...images.map(({ name, text, picture }) => {
      const shown = picture ? [element("img", { src: picture, alt: "" })] : [];
      const button = element("button", { type: "button", title: `${name}, ${text}` }, ...shown, element("b", {}, name), element("span", {}, text));
      button.addEventListener("click", () => order("choose", { image: name }));
      return button;
    }));
  };
}
