/** The dashboard's first file: one React tree over one store. */
import { createRoot } from "react-dom/client";

const page = document.getElementById("page");
if (page !== null) createRoot(page).render(<h1>Cumulo</h1>);
