// The stream of this page ends with the session: then the page asks again, and shows nothing any more.
document.getElementById("live")?.addEventListener("over", () => location.reload());
